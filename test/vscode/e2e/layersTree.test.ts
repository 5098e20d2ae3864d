/** The layers tree on the sample: it shows the report, selects together with the layer view, sorts and filters. */

import * as assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { eventually } from '../support/eventually';
import { runRecipe } from '../support/sampleRun';
import { useVscode } from '../support/session';
import type { TreeRow } from '../support/workbench';

const vscode = useVscode();
let folder = '';

before(() => {
  folder = vscode.sample();
  runRecipe(folder);
});

test('tree and layer view select together, sort and filter', async () => {
  const window = await vscode.open({ folder });
  await window.runCommand('Quantscope: Open Layer View');
  await window.showContainer('Quantscope');
  const rows = (accept: (rows: readonly TreeRow[]) => boolean): Promise<readonly TreeRow[]> =>
    eventually(() => window.treeRows('Layers'), accept);

  const graph = await rows((found) => found.length > 5);
  assert.deepEqual([graph[0]?.label, graph[0]?.level], ['stem', 1]);

  await window.runCommand('Quantscope: Sort Layers Worst First');
  const [worst, second] = await rows(([first]) => first?.label === '/stage2/0/depthwise/Conv');
  assert.match(worst?.description ?? '', /^Conv\+Clip {2}\d+\.\d dB$/);
  assert.match(worst?.aria ?? '', /int8/);

  // From the tree to the view…
  const view = window.webview();
  await window.treeRow('Layers', second?.label ?? '').click();
  await view.locator('.detail h2', { hasText: second?.label ?? '' }).waitFor();
  // …and back.
  await view.locator('.grid .row[data-layer]').first().click();
  await rows((found) => found.find(({ label }) => label === worst?.label)?.selected === true);

  await window.runCommand('Quantscope: Filter Layers by Name…');
  await window.answer('hardswish');
  const swishes = await rows((found) => found.length === 1);
  assert.ok(swishes.every(({ description }) => description.startsWith('HardSwish')));
  await window.close();
});
