import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { IMAGES, equalsByHand, quantize, reason, reproduces, statusOf } from '../../test/helpers/torchModes';
import { comparedOf } from '../shared/measured';

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
    // A rate that destroys the model: five passes without a better one end it, and the state before them is kept.
    lines.length = 0;
    const ruined = await quantize(
      'plain',
      'qat',
      'images.npy',
      { torch: { epochs: 20, 'learning-rate': 100 } },
      (line) => lines.push(line),
    );
    assert.equal(lines.filter((line) => line.startsWith('training, pass')).length, 6, lines.join('\n'));
    assert.ok((comparedOf(ruined.outputs[0]?.error)!.sqnr ?? 0) > 20);
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
    assert.ok(reproduces(report, IMAGES));
  });

  test('the ranges of a histogram are those of the calibration', async () => {
    const calibration = { data: 'images.npy', observer: 'percentile' as const, percentile: 90 };
    const report = await quantize('plain', 'qat', 'images.npy', { calibration, torch: { epochs: 2 } });
    const [input] = report.layers[0]!.tensors;
    assert.ok(input?.range && input.observed);
    // Uniform in [-2, 2): a tenth of it is left out.
    assert.ok(Math.abs(input.range.max - 1.8) < 0.05 && input.observed.max > 1.99, JSON.stringify(input));
    assert.ok(reproduces(report, IMAGES));
  });

  test('and clip in training where the int8 model clips, so that training makes nothing worse', async () => {
    const calibration = { data: 'images.npy', observer: 'percentile' as const, percentile: 90 };
    const [before, after] = [
      await quantize('plain', 'static', 'images.npy', { calibration }),
      await quantize('plain', 'qat', 'images.npy', { calibration }),
    ].map(({ outputs }) => comparedOf(outputs[0]!.error)!.sqnr!);
    assert.ok(after! > before! - 0.5, `${before} dB, trained ${after} dB`);
  });
});
