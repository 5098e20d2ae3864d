import * as assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { after, test } from 'node:test';
import type { OnnxExport } from '../../shared/onnxExport';
import type { JobName } from '../../shared/protocol';
import type { Output, Services } from '../command';
import { PLAIN } from '../style';
import { exportToOnnx } from './export';

const cwd = mkdtempSync(path.join(os.tmpdir(), 'quantscope-cli-export-'));
after(() => rmSync(cwd, { recursive: true, force: true }));

const MADE: OnnxExport = {
  model: path.join(cwd, 'net.fp32.onnx'),
  recipe: path.join(cwd, 'net.fp32.quant.yaml'),
  ...{ sqnr: 131.5, samples: 4, warnings: ['The model branches\u001b.'] },
};

/** @returns the output, with the jobs that were asked for */
async function run(
  args: readonly string[],
  made: OnnxExport = MADE,
): Promise<Output & { readonly jobs: readonly (readonly unknown[])[] }> {
  const jobs: (readonly unknown[])[] = [];
  const services = {
    cwd,
    run: (name: JobName, input: unknown, options: unknown) => {
      jobs.push([name, input, options]);
      return Promise.resolve(made);
    },
  } as unknown as Services;
  const output = await exportToOnnx.run(args, services);
  assert.ok(typeof output === 'object');
  return { ...output, jobs };
}

test('a recipe is exported beside itself', async () => {
  writeFileSync(path.join(cwd, 'net.quant.yaml'), 'framework: torch\nmodel: net.py:build\nmode: qat\n');
  const { jobs, json, text } = await run(['net.quant.yaml', '--trust']);
  const recipe = { framework: 'torch', model: 'net.py:build', mode: 'qat' };
  assert.deepEqual(jobs, [['exportOnnx', { recipe, baseDir: cwd }, { trusted: true }]]);
  assert.equal(json, MADE);
  const shown = text(PLAIN);
  for (const pattern of [
    /^! warning The model branches\\u001b\.$/m,
    /^model +net\.fp32\.onnx$/m,
    /^recipe +net\.fp32\.quant\.yaml$/m,
    /^agreement +132 dB on 4 samples, onnxruntime against PyTorch$/m,
    /^next +quantscope run net\.fp32\.quant\.yaml$/m,
  ]) {
    assert.match(shown, pattern);
  }
});

test('a model is exported beside its file, and is not trusted by itself', async () => {
  const { jobs } = await run(['sub/net.py:build']);
  const recipe = { framework: 'torch', model: 'net.py:build' };
  assert.deepEqual(jobs, [['exportOnnx', { recipe, baseDir: path.join(cwd, 'sub') }, { trusted: false }]]);
});

test('equal bits are said to be that, and what was not compared as well', async () => {
  const agreement = async (changes: Partial<OnnxExport>): Promise<string> =>
    /^agreement +(.*)$/m.exec((await run(['net.py:build'], { ...MADE, ...changes })).text(PLAIN))?.[1] ?? '';
  assert.match(await agreement({ sqnr: null }), /^the same bits on 4 samples/);
  assert.match(await agreement({ sqnr: null, samples: 0 }), /^not measured/);
});
