import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { makeNode } from '../onnx/model';
import type { Concession, Plan, PlannedLayer } from '../plan/types';
import type { Verdict } from './kernels';
import { failing, layersNamedIn, replan, withKin } from './replan';

function layer(name: string, settings: Partial<PlannedLayer> = {}): PlannedLayer {
  const { op = 'MatMul' } = settings;
  return {
    name,
    op,
    kind: 'compute',
    node: makeNode({ op, name, inputs: ['x', 'w'], outputs: [`${name}.y`] }),
    fused: [],
    quantize: true,
    reason: null,
    mode: 'static',
    inputs: ['x'],
    outputs: [`${name}.y`],
    weight: null,
    recurrence: null,
    bias: null,
    apart: [],
    ...settings,
  };
}

const planOf = (layers: readonly PlannedLayer[]): Plan => ({
  mode: 'static',
  format: 'qdq',
  layers,
  shapeComputations: 0,
  activations: new Map(),
});
const float = (kernel: string): Verdict => ({ status: 'fallback', reason: 'runtime-not-fused', kernel });
const int8: Verdict = { status: 'quantized', reason: null, kernel: 'QLinearMatMul' };

describe('replan', () => {
  test('has nothing to change where every planned layer runs in int8', () => {
    const plan = planOf([layer('a'), layer('b', { quantize: false, reason: 'excluded' })]);
    assert.equal(replan(plan, new Map([['a', int8]]), new Map()), null);
  });

  test('settles all layers of one look at once, each by its next attempt', () => {
    const plan = planOf([layer('a'), layer('b'), layer('c', { bias: 'c.b' }), layer('d'), layer('e', { op: 'Conv' })]);
    const verdicts = new Map([
      ['a', int8],
      ['b', float('Gemm')],
      ['c', float('Gemm')],
      ['d', float('MatMul')],
      ['e', float('FusedConv')],
    ]);
    const left = 'runtime-not-fused';
    const first = replan(plan, verdicts, new Map());
    assert.deepEqual(
      first,
      new Map<string, Concession>([
        ['b', 'bias'],
        ['c', left],
        ['d', left],
        ['e', left],
      ]),
    );
    assert.equal(replan(plan, verdicts, first)?.get('b'), left);
  });
});

test('the layers that a message names are those whose kernels have the names, fused ones too', () => {
  const add = makeNode({ op: 'Add', name: 'a.add', inputs: ['x', 'b'], outputs: ['y'] });
  const plan = planOf([layer('a', { fused: [add] }), layer('b'), layer('c', { quantize: false, reason: 'excluded' })]);
  const failed = (name: string): string => `Non-zero status code returned while running X node. Name:'${name}' Status`;
  assert.deepEqual(layersNamedIn(failed('a/MatMulAddFusion'), plan), ['a']);
  assert.deepEqual(layersNamedIn(failed('a.add'), plan), ['a']);
  assert.deepEqual(layersNamedIn('Node (b) Op (QLinearMatMul) [ShapeInferenceError]', plan), ['b']);
  assert.deepEqual(layersNamedIn(failed('c'), plan), []);
  assert.deepEqual(layersNamedIn('out of memory', plan), []);
});

test('a kernel that has rejected eight layers of a kind is not asked about the others', () => {
  const same = Array.from({ length: 30 }, (_, i) => layer(`m${i}`));
  const plan = planOf([...same, layer('conv', { op: 'Conv' })]);
  const tried = (count: number): Map<string, Concession> =>
    new Map(same.slice(0, count).map(({ name }) => [name, 'runtime-rejected']));
  assert.deepEqual(withKin(['m7'], plan, tried(7)), ['m7']);
  assert.deepEqual(
    withKin(['m8'], plan, tried(8)),
    same.map(({ name }) => name),
  );
  assert.deepEqual(withKin(['conv'], plan, tried(8)), ['conv']);
});

test('failing finds exactly those that fail, in a logarithm of probes each', async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 300 }), fc.uniqueArray(fc.nat(299), { maxLength: 4 }), async (n, at) => {
      const items = Array.from({ length: n }, (_, i) => `${i}`);
      const bad = new Set(at.filter((i) => i < n).map(String));
      let probes = 0;
      const found = await failing(items, (some) => {
        probes++;
        return Promise.resolve(some.some((item) => bad.has(item)));
      });
      assert.deepEqual(new Set(found), bad);
      assert.ok(probes <= 1 + bad.size * (2 + Math.ceil(Math.log2(n))), `${probes} probes`);
    }),
  );
});
