import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { Recipe } from '../shared/recipe';
import type { Report } from '../shared/report';
import { floatArray, npyBytes, torchPython } from '../../test/helpers/torch';
import { quantizeTorch } from './quantize';

const FIXTURE = path.resolve(__dirname, '../../test/fixtures/torch/modes.py');
const { python, reason } = torchPython();

let folder: string;
before(() => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'quantscope-modes-'));
  cpSync(FIXTURE, path.join(folder, 'modes.py'));
  writeFileSync(path.join(folder, 'words.npy'), npyBytes([8, 7, 12], floatArray(8 * 7 * 12, 3)));
  writeFileSync(path.join(folder, 'images.npy'), npyBytes([20, 3, 16, 16], floatArray(20 * 3 * 16 * 16, 5)));
});
after(() => {
  rmSync(folder, { recursive: true, force: true });
});

const quantize = (
  model: string,
  mode: Recipe['mode'],
  data: string,
  more: Partial<Recipe> = {},
  log?: (line: string) => void,
): Promise<Report> => {
  const torch = { python, ...(data === 'words.npy' ? {} : { inputs: [['batch', 3, 16, 16]] }), ...more.torch };
  const recipe: Recipe = { framework: 'torch', model: `modes.py:${model}`, backend: 'fbgemm', ...more, torch };
  return quantizeTorch(
    { recipe: { ...recipe, mode, calibration: { data } }, baseDir: folder, outDir: path.join(folder, model) },
    { trusted: true, threads: 1, ...(log === undefined ? {} : { log }) },
  );
};

const statusOf = (report: Report): Readonly<Record<string, string>> =>
  Object.fromEntries(report.layers.map(({ name, status }) => [name, status]));

/** Whether the saved model computes on the data what Python statements leave in `q`. */
function equalsByHand(report: Report, data: string, statements: string): boolean {
  const code = `
import copy, numpy as np, torch, modes
from torch import nn
torch.backends.quantized.engine = "fbgemm"
torch.set_num_threads(1)
rows = [torch.from_numpy(row[None]) for row in np.load(${JSON.stringify(data)})]
${statements}
with torch.no_grad():
    saved = torch.jit.load(${JSON.stringify(report.quantized!.path)})
    print(all(torch.equal(saved(x), q(x)) for x in rows))`;
  const options = { cwd: folder, stdio: ['ignore', 'pipe', 'inherit'] as ('ignore' | 'pipe' | 'inherit')[] };
  return execFileSync(python, ['-W', 'ignore', '-c', code], options).toString().trim() === 'True';
}

describe('dynamic', { skip: reason }, () => {
  test('LSTM, GRU and Linear as quantize_dynamic makes them, the rest in float', async () => {
    const report = await quantize('tagger', 'dynamic', 'words.npy');
    const status = statusOf(report);
    assert.deepEqual([status['lstm'], status['gru'], status['head']], ['quantized', 'quantized', 'quantized']);
    const norm = report.layers.find(({ name }) => name === 'norm');
    assert.deepEqual([norm?.status, norm?.reason], ['float', 'mode-skips-op']);
    for (const name of ['lstm', 'gru', 'head']) {
      const sqnr = report.layers.find((layer) => layer.name === name)?.local?.sqnr ?? 0;
      assert.ok(sqnr > 20, `${name}: ${sqnr} dB`);
    }
    const byHand = `q = torch.ao.quantization.quantize_dynamic(modes.tagger(), {nn.Linear, nn.LSTM, nn.GRU})`;
    assert.ok(equalsByHand(report, 'words.npy', byHand));
  });

  test('an excluded layer stays in float', async () => {
    const report = await quantize('tagger', 'dynamic', 'words.npy', {
      layers: [{ select: 'op:LSTM', quantize: false }],
    });
    const lstm = report.layers.find(({ name }) => name === 'lstm');
    assert.deepEqual([lstm?.status, lstm?.reason], ['float', 'excluded']);
  });
});

describe('eager', { skip: reason }, () => {
  test('the same bits as fuse, prepare and convert by hand, compared layer by layer', async () => {
    const report = await quantize('stubbed', 'eager', 'images.npy');
    for (const name of ['conv1', 'conv2', 'fc']) {
      const layer = report.layers.find((found) => found.name === name);
      assert.equal(layer?.status, 'quantized', name);
      assert.ok((layer.local?.sqnr ?? 0) > 20, `${name}: ${layer.local?.sqnr} dB`);
    }
    assert.ok(!existsSync(path.join(folder, 'stubbed/reproduce.py')));
    const byHand = `
from torch.ao.quantization import convert, get_default_qconfig_mapping, prepare
q = modes.stubbed()
q.fuse_model()
q.qconfig = get_default_qconfig_mapping("fbgemm").global_qconfig
prepare(q, inplace=True)
with torch.no_grad():
    for x in rows: q(x)
convert(q, inplace=True)`;
    assert.ok(equalsByHand(report, 'images.npy', byHand));
  });

  test('a missing stub is named with its layer and line', async () => {
    await assert.rejects(quantize('without_quant', 'eager', 'images.npy'), {
      code: 'plan-impossible',
      message: /"conv1" \(called in .*modes\.py:\d+\) was made int8 but is given float: put a .*QuantStub before it/u,
    });
    await assert.rejects(quantize('without_functional', 'eager', 'images.npy'), {
      code: 'plan-impossible',
      message: /add" \(called in .*modes\.py:\d+\) computes in float but is given int8: .*FloatFunctional/u,
    });
    await assert.rejects(quantize('plain', 'eager', 'images.npy'), { message: /has no QuantStub/u });
  });
});

describe('quantization-aware training', { skip: reason }, () => {
  test('distillation keeps the best state, and ends early where nothing improves', async () => {
    const lines: string[] = [];
    const torch = { epochs: 4, 'learning-rate': 1e-3 };
    const report = await quantize('plain', 'qat', 'images.npy', { torch }, (line) => lines.push(line));
    const losses = lines.flatMap((line) => /loss (\S+?)(, best)?$/u.exec(line)?.slice(1, 3) ?? []);
    assert.ok(losses.length >= 4, lines.join('\n'));
    const bests = lines.filter((line) => line.endsWith(', best')).map((line) => Number(/loss ([^,]+)/u.exec(line)![1]));
    assert.deepEqual(
      bests,
      bests.toSorted((a, b) => b - a),
    );
    assert.deepEqual([statusOf(report)['conv'], statusOf(report)['fc']], ['quantized', 'quantized']);
    // A rate that destroys the model: three passes without a better one end it, and the state before them is kept.
    lines.length = 0;
    const ruined = await quantize(
      'plain',
      'qat',
      'images.npy',
      { torch: { epochs: 20, 'learning-rate': 100 } },
      (line) => lines.push(line),
    );
    assert.equal(lines.filter((line) => line.startsWith('training, pass')).length, 4, lines.join('\n'));
    assert.ok((ruined.outputs[0]?.error.sqnr ?? 0) > 20);
  });

  test("the user's own function trains", async () => {
    const report = await quantize('plain', 'qat', 'images.npy', { torch: { train: 'modes.py:train' } });
    const byHand = `
from torch.ao.quantization import get_default_qat_qconfig_mapping
from torch.ao.quantization.quantize_fx import convert_fx, prepare_qat_fx
torch.manual_seed(0)
q = prepare_qat_fx(modes.plain().train(), get_default_qat_qconfig_mapping("fbgemm"), (rows[0],)).eval()
with torch.no_grad():
    for x in rows: q(x)
modes.train(q.train())
q = convert_fx(q.eval()).eval()`;
    assert.ok(equalsByHand(report, 'images.npy', byHand));
  });
});
