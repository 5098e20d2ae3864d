import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { CHOSEN, runPython } from '../../test/helpers/torch';
import {
  IMAGES,
  WORDS,
  equalsByHand,
  folder,
  python,
  quantize,
  reason,
  reproduces,
  statusOf,
} from '../../test/helpers/torchModes';
import type { Recipe } from '../shared/recipe';
import { quantizeTorch } from './quantize';
import { comparedOf } from '../shared/measured';

describe('dynamic', { skip: reason }, () => {
  test('LSTM, GRU and Linear as quantize_dynamic makes them, the rest in float', async () => {
    const report = await quantize('tagger', 'dynamic', 'words.npy');
    const status = statusOf(report);
    // FX of torch 1.13 knows no dynamic GRU, and its report says so.
    const hasGru = CHOSEN === 'newest';
    const expected = ['quantized', hasGru ? 'quantized' : 'fallback', 'quantized'];
    assert.deepEqual([status['lstm'], status['gru'], status['head']], expected);
    const norm = report.layers.find(({ name }) => name === 'norm');
    assert.deepEqual([norm?.status, norm?.reason], ['float', 'mode-skips-op']);
    for (const name of ['lstm', ...(hasGru ? ['gru'] : []), 'head']) {
      const sqnr = comparedOf(report.layers.find((layer) => layer.name === name)?.local)?.sqnr ?? 0;
      assert.ok(sqnr > 20, `${name}: ${sqnr} dB`);
    }
    const byHand = `q = torch.ao.quantization.quantize_dynamic(modes.tagger(), {nn.Linear, nn.LSTM${hasGru ? ', nn.GRU' : ''}})`;
    assert.ok(equalsByHand(report, 'words.npy', byHand));
    assert.ok(reproduces(report, WORDS));
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
      assert.ok((comparedOf(layer.local)?.sqnr ?? 0) > 20, `${name}: ${comparedOf(layer.local)?.sqnr} dB`);
    }
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
    assert.ok(reproduces(report, IMAGES));
  });

  test('a layer between others in int8 stays in float, another has an observer of its own', async () => {
    const layers = [
      { select: 'conv2', quantize: false },
      { select: 'fc', observer: 'min-max' as const },
    ];
    const report = await quantize('stubbed', 'eager', 'images.npy', { layers });
    const kept = report.layers.find(({ name }) => name === 'conv2');
    assert.deepEqual([kept?.status, kept?.reason, kept?.kernel], ['float', 'excluded', 'Conv2d']);
    assert.deepEqual([statusOf(report)['conv1'], statusOf(report)['fc']], ['quantized', 'quantized']);
    const byHand = `
from torch.ao.quantization import DeQuantStub, MinMaxObserver, QConfig, QuantStub, convert, get_default_qconfig_mapping, prepare
q = modes.stubbed()
q.fuse_model()
q.qconfig = ordinary = get_default_qconfig_mapping("fbgemm").global_qconfig
observer = MinMaxObserver.with_args(dtype=torch.quint8, reduce_range=True)
q.fc.qconfig = QConfig(activation=observer, weight=ordinary.weight)
q.conv2.qconfig = None
q.conv2 = nn.Sequential(DeQuantStub(), q.conv2, QuantStub())
prepare(q, inplace=True)
with torch.no_grad():
    for x in rows: q(x)
convert(q, inplace=True)`;
    assert.ok(equalsByHand(report, 'images.npy', byHand));
    assert.ok(reproduces(report, IMAGES));
    const plus = { layers: [{ select: 'op:add', quantize: false }] };
    await assert.rejects(quantize('stubbed', 'eager', 'images.npy', plus), { message: /DeQuantStub before it/u });
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

describe("a user's own DataLoader", { skip: reason }, () => {
  test('gives the samples and their classes, in the order in which it drew them', async () => {
    const more = { calibration: { data: 'modes.py:loader', samples: 12 }, validate: { data: 'modes.py:loader' } };
    const report = await quantize('plain', 'static', 'images.npy', more);
    assert.deepEqual([report.calibration?.samples, report.calibration?.data], [12, '12 samples of modes.py:loader']);
    assert.equal(report.accuracy?.samples, 20);
    assert.ok(report.accuracy.top1 !== null);
    const byHand = `
from torch.ao.quantization import get_default_qconfig_mapping
from torch.ao.quantization.quantize_fx import convert_fx, prepare_fx
q = prepare_fx(modes.plain(), get_default_qconfig_mapping("fbgemm"), (rows[0],))
torch.manual_seed(0)
drawn = torch.cat([x for x, _ in modes.loader()])[:12]
with torch.no_grad():
    for x in drawn: q(x[None])
q = convert_fx(q).eval()`;
    assert.ok(equalsByHand(report, 'images.npy', byHand));
    assert.ok(reproduces(report, IMAGES));
    const none = { calibration: { data: 'modes.py:nothing' } };
    await assert.rejects(quantize('plain', 'static', 'images.npy', none), { message: /modes\.py has no "nothing"/iu });
  });
});

describe('TorchScript', { skip: reason }, () => {
  test('the same bits as quantize_jit by hand, its operators, and what it cannot tell', async () => {
    const save = 'import torch, modes; torch.jit.save(torch.jit.script(modes.activated()), "scripted.pt")';
    runPython(python, folder, '-c', save);
    const torch = { python, inputs: [['batch', 3, 16, 16]] };
    const recipe: Recipe = { framework: 'torch', model: 'scripted.pt', torch, backend: 'fbgemm' };
    const job = { recipe: { ...recipe, calibration: { data: 'images.npy' } }, baseDir: folder };
    const report = await quantizeTorch(job, { trusted: true, threads: 1 });
    const byHand = `
from torch.ao.quantization import get_default_qconfig
from torch.ao.quantization.quantize_jit import convert_jit, prepare_jit
q = prepare_jit(torch.jit.load("scripted.pt"), {"": get_default_qconfig("fbgemm")})
with torch.no_grad():
    for x in rows: q(x)
q = convert_jit(q)`;
    assert.ok(equalsByHand(report, 'images.npy', byHand));
    assert.equal(report.layers.filter(({ op, status }) => op === 'conv2d' && status === 'quantized').length, 4);
    const status = statusOf(report);
    assert.deepEqual(
      [status['leaky_relu'], status['max_pool2d'], status['prelu']],
      ['quantized', 'quantized', 'fallback'],
    );
    assert.match(report.warnings.join(), /quantize_jit.*but not the error of each/u);
    assert.ok((comparedOf(report.outputs[0]?.error)!.sqnr ?? 0) > 10);
    assert.ok(reproduces(report, IMAGES));
    const layers = [{ select: 'conv2d', quantize: false }];
    const refused = quantizeTorch({ ...job, recipe: { ...job.recipe, layers } }, { trusted: true });
    await assert.rejects(refused, { code: 'plan-impossible', message: /takes no `layers`/u });
  });
});
