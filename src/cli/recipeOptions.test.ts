/** What `quantize` prints to keep its settings must keep them: the line goes through a shell, and `init` reads it. */

import assert from 'node:assert/strict';
import { execSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { after, describe, test } from 'node:test';
import fc from 'fast-check';
import { readRecipe } from '../core/recipeFile';
import { EXIT } from '../shared/errors';
import { BACKEND_IDS, FORMATS, MODES, OBSERVERS, preprocessOf, TASKS, type Recipe } from '../shared/recipe';
import type { Report } from '../shared/report';
import { runCli } from './app';

const cwd = mkdtempSync(path.join(os.tmpdir(), 'quantscope-kept-'));
after(() => rmSync(cwd, { recursive: true, force: true }));
const echo = path.join(cwd, 'echo.cjs');
writeFileSync(echo, 'process.stdout.write(JSON.stringify(process.argv.slice(2)));');

const GUESS = { preprocess: { preset: 'imagenet' as const, crop: 224 }, why: 'It takes images.' };
const REPORT: Report = {
  ...{ version: 1, tool: 't', created: '', framework: 'onnx', recipe: { model: 'net.onnx' } },
  model: { path: 'net.onnx', sha256: '', bytes: 4, opset: 13, producer: '', inputs: [], outputs: [] },
  ...{ quantized: null, backend: 'ort-cpu', mode: 'static', format: 'qdq', normalization: [], layers: [] },
  environment: { runtime: '', cpu: '', saturates: true, isa: 'avx2', threads: 1, platform: '' },
  ...{ calibration: null, counts: { quantized: 1, float: 0, fallback: 0 }, outputs: [], accuracy: null },
  ...{ seconds: {}, warnings: [], unmatched: [], matched: 0 },
};

async function cli(args: readonly string[]): Promise<{ stdout: string; stderr: string; recipe: Recipe | undefined }> {
  const written = { stdout: '', stderr: '' };
  let recipe: Recipe | undefined;
  const stream = (name: 'stdout' | 'stderr'): { isTTY: boolean; columns: number; write: (text: string) => void } => {
    return { isTTY: false, columns: 80, write: (text) => (written[name] += text) };
  };
  await runCli(args, {
    ...{ cwd, env: {}, version: '1.2.3', signal: new AbortController().signal },
    ...{ stdout: stream('stdout'), stderr: stream('stderr') },
    engine: {
      request: (name: string, input: unknown) => {
        if (name === 'quantize') ({ recipe } = input as { recipe: Recipe });
        return Promise.resolve((name === 'inspect' ? { guess: GUESS } : REPORT) as never);
      },
      dispose: () => Promise.resolve(),
    },
    serve: () => Promise.resolve(EXIT.engineFailure),
  });
  return { ...written, recipe };
}

/** What a recipe decides: with its defaults and without a short form. */
function meaning({ mode = 'static', backend = 'ort-cpu', calibration, preprocess, ...rest }: Recipe): object {
  return {
    ...rest,
    ...{ mode, backend, preprocess: preprocessOf(preprocess) },
    ...(calibration === undefined ? {} : { calibration: { samples: 100, ...calibration } }),
  };
}

const special = os.platform() === 'win32' ? 'a ;&(){}[],=~' : 'a \'"$`\\!;&|<>(){}[]*?~#%=,ä';
const name = fc
  .string({ unit: fc.constantFrom(...Array.from(special)), minLength: 1, maxLength: 8 })
  .filter((text) => text.trim() === text);
const sources = fc.array(name, { minLength: 1, maxLength: 2 });
const block = fc.constantFrom(
  'caffe',
  '{}',
  '{resize: {mode: shorter-side, size: 256}, crop: 224, color: bgr, mean: [104, 117.5, 123], std: 1e-7}',
  '{"preset": "tf", "crop": [128, 64], "layout": "NHWC"}',
);
const settings = fc.record(
  {
    ...{ data: sources, preprocess: block, backend: fc.constantFrom(...BACKEND_IDS) },
    ...{ observer: fc.constantFrom(...OBSERVERS), samples: fc.integer({ min: 1, max: 1e6 }).map(String) },
    ...{ exclude: fc.array(fc.oneof(name, fc.constantFrom('-dash', '--dash', 'op:Conv')), { maxLength: 2 }) },
    ...{ mode: fc.constantFrom(...MODES), format: fc.constantFrom(...FORMATS) },
    ...{ validate: sources, labels: name, task: fc.constantFrom(...TASKS) },
  },
  { requiredKeys: ['data', 'validate'] },
);

describe('settings of `quantize`', () => {
  test('the line that it prints makes `init` write the recipe of the run, whatever is in names', async () => {
    let files = 0;
    await fc.assert(
      fc.asyncProperty(settings, name, async (given, model) => {
        const flags = Object.entries(given).flatMap(([option, values]) =>
          [values].flat().map((value) => `--${option}=${value}`),
        );
        const run = await cli(['quantize', ...flags, '--', `${model}${files++}.onnx`]);
        const line = /as a recipe +quantscope (.*)/.exec(run.stdout)?.[1];
        assert.ok(line !== undefined && run.recipe !== undefined, run.stderr);
        const args = JSON.parse(execSync(`"${process.execPath}" "${echo}" ${line}`, { encoding: 'utf8' })) as string[];
        const kept = await cli([...args, '--json']);
        const { path: file } = JSON.parse(kept.stdout) as { path: string };
        assert.deepEqual(meaning((await readRecipe(file)).recipe), meaning(run.recipe));
      }),
      { numRuns: 60 },
    );
  });

  test('the printed line names what is not a default, and paths are those of the recipe’s folder', async () => {
    const { stdout } = await cli([
      'quantize',
      'my models/net.onnx',
      '--data',
      'a',
      '--data',
      '$b',
      '--mode',
      'dynamic',
    ]);
    if (os.platform() !== 'win32') {
      assert.match(stdout, /recipe +quantscope init 'my models\/net\.onnx' --data a --data '\$b' --mode dynamic$/m);
      assert.match(stdout, /next +quantscope layers 'my models\/net\.quant\/report\.json' --sort sqnr$/m);
    }
  });

  test('a PyTorch model is known by its name, and needs no Python for a recipe', async () => {
    mkdirSync(path.join(cwd, 'nets'));
    const given = ['nets/net.py:build', '--data', 'images', '--weights', 'nets/net.pth', '--mode', 'qat'];
    const run = await cli(['quantize', ...given, '--preprocess', 'imagenet', '--trust']);
    const said = { mode: 'qat', calibration: { data: 'images' }, preprocess: 'imagenet' };
    const named = { framework: 'torch', model: 'nets/net.py:build', torch: { weights: 'nets/net.pth' } };
    assert.deepEqual(run.recipe, { ...named, ...said });
    const kept = await cli(['init', ...given]);
    assert.match(kept.stdout, /next +quantscope run nets\/net\.quant\.yaml --trust$/m);
    const { recipe } = await readRecipe(path.join(cwd, 'nets/net.quant.yaml'));
    assert.deepEqual(recipe, {
      ...{ framework: 'torch', model: 'net.py:build', torch: { weights: 'net.pth' } },
      ...{ backend: os.arch() === 'arm64' ? 'qnnpack' : 'fbgemm', mode: 'qat' },
      calibration: { data: '../images', samples: 100 },
    });
    const wrong = await cli(['quantize', 'net.onnx', '--data', 'd', '--weights', 'w.pth']);
    assert.match(wrong.stderr, /--weights belongs to a PyTorch model/);
  });

  test('only weight-only does without data', async () => {
    assert.match((await cli(['quantize', 'net.onnx', '--mode', 'dynamic'])).stderr, /--data DIR is missing/);
    assert.match((await cli(['init', 'net.onnx'])).stderr, /--data DIR is missing/);
    const { recipe } = await cli(['quantize', 'net.onnx', '--mode', 'weight-only']);
    assert.deepEqual(recipe, { model: 'net.onnx', mode: 'weight-only', preprocess: GUESS.preprocess });
    assert.match(
      (await cli(['quantize', 'n.onnx', '--mode', 'weight-only', '--samples', '3'])).stderr,
      /--samples needs/,
    );
  });
});
