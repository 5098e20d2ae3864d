import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { after, test } from 'node:test';
import { reportOf } from '../../../test/helpers/report';
import type { Recipe } from '../../shared/recipe';
import { priceFixes } from '../tune/prices';
import { tune } from '../tune/tune';
import { findCulprits } from './culprits';

const folder = mkdtempSync(path.join(os.tmpdir(), 'quantscope-torch-only-'));
after(() => rmSync(folder, { recursive: true }));

test('a PyTorch model is refused by what tries changes of recipes, with what to do instead', async () => {
  const recipe: Recipe = { framework: 'torch', model: 'net.py:build', calibration: { data: 'synthetic' } };
  const report = path.join(folder, 'report.json');
  writeFileSync(report, JSON.stringify(reportOf({ framework: 'torch', recipe })));
  const job = { report, baseDir: folder };
  const refused = { code: 'plan-impossible', message: /PyTorch/, hint: /layers: \[/ };
  await assert.rejects(tune({ recipe, baseDir: folder, outDir: folder, goal: { maxDrop: 1 } }), refused);
  await assert.rejects(priceFixes(job), refused);
  await assert.rejects(findCulprits(job), refused);
});
