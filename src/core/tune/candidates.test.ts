import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { Recipe } from '../../shared/recipe';
import { freeChanges, rankLayers, remedy, type LayerCost } from './candidates';

const cost = (layer: string, power: number, macs: number, int8 = 10, fp32 = 20): LayerCost => ({
  ...{ layer, power, macs, time: { int8, fp32 }, split: false },
});
const names = (layers: readonly LayerCost[]): string => layers.map(({ layer }) => layer).join('');

const ERROR = { error: true, time: false };
const TIME = { error: false, time: true };

describe('the order in which layers go back to float', () => {
  const layers = [
    cost('a', 0.1, 1000, 30, 10),
    cost('b', 0.09, 10, 5, 5),
    cost('c', 0.0001, 10, 90, 20),
    cost('d', 0, 5),
  ];

  test('against an error is by the error for the work that it costs', () => {
    assert.equal(names(rankLayers(layers, ERROR)), 'bac');
  });

  test('against time is by the time saved, whatever the error; a layer that is faster in int8 stays', () => {
    assert.equal(names(rankLayers(layers, TIME)), 'ca');
    assert.equal(names(rankLayers([cost('a', 1, 1, 5, 9)], TIME)), '');
    const merged = { ...cost('m', 1, 1), time: null };
    assert.equal(names(rankLayers([merged], TIME)), '');
  });

  test('against both, what helps neither is left out, and helping both comes first', () => {
    const both = [cost('e', 0.1, 10, 5, 5), cost('t', 0, 10, 15, 5), cost('x', 0.1, 10, 15, 5), cost('n', 0, 10, 5, 5)];
    assert.equal(names(rankLayers(both, { error: true, time: true })).slice(0, 1), 'x');
    assert.ok(!names(rankLayers(both, { error: true, time: true })).includes('n'));
  });

  test('does not depend on the order of the graph', () => {
    const some = fc.array(
      fc.tuple(fc.double({ min: 0, max: 1, noNaN: true }), fc.nat(1000), fc.nat(100), fc.nat(100)),
      { minLength: 1, maxLength: 12 },
    );
    fc.assert(
      fc.property(some, fc.boolean(), fc.boolean(), (values, error, time) => {
        const list = values.map(([power, macs, int8, fp32], i) => cost(`l${i}`, power, macs, int8, fp32));
        assert.deepEqual(rankLayers(list, { error, time }), rankLayers(list.toReversed(), { error, time }));
      }),
    );
  });
});

test('a remedy says why: by error in wider activations where there are kernels, by time in float', () => {
  const layer = cost('conv', 0.01, 10, 41, 28);
  assert.deepEqual(remedy(layer, ERROR, { wide: true }).change, {
    kind: 'override',
    override: { select: 'conv', activations: 'uint16', because: 'quantized alone, it leaves 20.0 dB at the outputs' },
  });
  const concat = remedy({ ...layer, split: true }, ERROR, { wide: false });
  assert.deepEqual(concat.change, { kind: 'split', concat: 'conv' });
  const { change, because } = remedy(layer, TIME, { wide: true });
  assert.equal(because, 'its int8 kernels take 41.0 µs, its float ones 28.0 µs');
  assert.deepEqual(change, { kind: 'override', override: { select: 'conv', quantize: false, because } });
});

describe('what is free', () => {
  const recipe: Recipe = { model: 'net.onnx', calibration: { data: 'd', observer: 'percentile', percentile: 99.99 } };
  const backend = { observer: 'min-max', perChannel: true, biasCorrection: true } as const;
  const PLAIN = { unevenness: 1, smoothable: false };

  test('is every other observer and level, none twice', () => {
    const tried = freeChanges(recipe, backend, PLAIN).map(({ change }) => JSON.stringify(change));
    assert.equal(new Set(tried).size, tried.length);
    assert.equal(tried.filter((change) => change.includes('percentile')).length, 2);
    assert.ok(!tried.some((change) => change.includes('99.99}')));
  });

  test('is equalizing, where channels are uneven and it is not done yet', () => {
    const kinds = (of: Recipe, unevenness: number): boolean =>
      freeChanges(of, backend, { ...PLAIN, unevenness }).some(({ change }) => change.kind === 'equalize');
    assert.deepEqual(
      [kinds(recipe, 1.5), kinds(recipe, 30), kinds({ ...recipe, normalize: { equalize: true } }, 30)],
      [false, true, false],
    );
  });

  test('is smoothing by other strengths, where something can take it', () => {
    const strengths = (of: Recipe, smoothable: boolean): number[] =>
      freeChanges(of, backend, { ...PLAIN, smoothable }).flatMap(({ change }) =>
        change.kind === 'smooth' ? [change.strength] : [],
      );
    assert.deepEqual(
      [strengths(recipe, false), strengths(recipe, true), strengths({ ...recipe, normalize: { smooth: 0.5 } }, true)],
      [[], [0.5, 0.75], [0.75]],
    );
  });
});
