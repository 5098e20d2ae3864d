import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import * as path from 'node:path';
import { describe, test } from 'node:test';
import { cloneModel, graphOf, makeNode, opsetVersion, type OnnxModel } from '../onnx/model';
import { QuantscopeError } from '../../shared/errors';
import {
  buildGraph,
  buildModel,
  assertSameOutputs,
  f32,
  graphAttribute,
  node,
  random,
  randomTensor,
  run,
} from './fixtures/models';
import { EXPERIMENTAL_OPS, OLD_PAIRS } from './fixtures/oldOpsets';
import { bnConstants, bnInputs, CHANGED_OPS, one, x44, type Case } from './fixtures/opsetCases';
import { UNCHANGED_OPS } from './fixtures/unchangedOps';
import type { TensorInfo } from '../runtime/session';
import type { Tensor } from '../tensor';
import { irVersionFor, NEWEST_OPSET, OLDEST_OPSET, raiseOpset } from './opset';
import { ADAPTERS } from './opsetAdapters';
import { ADAPTERS_BEFORE_7 } from './opsetAdaptersBefore7';
import { inferOrNothing } from './shapes';
import { walkGraphs } from './edit';

async function raised(model: OnnxModel, target: number): Promise<{ model: OnnxModel; changed: string[] }> {
  const copy = cloneModel(model);
  copy.proto.irVersion = BigInt(Math.max(8, irVersionFor(target)));
  return { changed: raiseOpset(copy, target, await inferOrNothing(copy)), model: copy };
}

/** Schema changes cannot show these: the signature stayed, the meaning did not. */
const CHANGED_MEANING: Readonly<Record<string, readonly number[]>> = {
  Cast: [6], // a type by its name, then by its number
  Concat: [4], // the axis has to be given
  Dropout: [10], // mask: numbers, then truth values
  GroupNormalization: [21], // scale per group, then per channel
  GlobalLpPool: [2], // p is a whole number
  LpPool: [2], // p is a whole number
  PRelu: [7], // a slope by channel, then aligned at its end
  Resize: [13], // tf_half_pixel_for_nn is gone
  RoiAlign: [16], // the default moved half a pixel
  Tile: [6], // one axis, then a number for each
  Split: [18], // either sizes or num_outputs has to be given
};

const WITH_SCHEMAS = Object.fromEntries(
  [...new Set([...Object.keys(ADAPTERS_BEFORE_7), ...Object.keys(ADAPTERS)])].map((op) => [
    op,
    [...(ADAPTERS_BEFORE_7[op] ?? []), ...(ADAPTERS[op] ?? [])],
  ]),
);

describe('table of adapters', () => {
  const file = path.join(__dirname, 'fixtures', 'opsetChanges.json');
  const schemas = JSON.parse(readFileSync(file, 'utf8')) as Record<string, number[]>;

  test('has every incompatible version of every operator, and no other', () => {
    const expected = new Set(
      [...Object.entries(schemas), ...Object.entries(CHANGED_MEANING)].flatMap(([op, at]) =>
        at.map((v) => `${op}-${v}`),
      ),
    );
    const actual = Object.entries(WITH_SCHEMAS).flatMap(([op, steps]) => steps.map((s) => `${op}-${s.to}`));
    assert.deepEqual(actual.sort(), [...expected].sort());
  });

  test('is ascending and inside the range of opsets', () => {
    for (const [op, steps] of Object.entries(WITH_SCHEMAS)) {
      const versions = steps.map((s) => s.to);
      assert.deepEqual(
        versions,
        [...versions].sort((a, b) => a - b),
        op,
      );
      assert.ok(
        versions.every((v) => v > OLDEST_OPSET && v <= NEWEST_OPSET),
        op,
      );
    }
  });
});

describe('a raised operator computes what it did', () => {
  for (const spec of [...CHANGED_OPS, ...UNCHANGED_OPS, ...EXPERIMENTAL_OPS]) {
    test(`${spec.name} (opset ${spec.opset})`, async () => {
      const model = buildModel({ ...spec, outputs: spec.outputs ?? ['y'] });
      const sizes: Record<string, number> = { n: 2, c: 3, h: 4 };
      const feed = (seed: number) => {
        const next = random(seed);
        return (input: { type: Parameters<typeof randomTensor>[0]; shape: readonly (number | string)[] }) =>
          randomTensor(
            input.type,
            input.shape.map((d) => (typeof d === 'number' ? d : sizes[d]!)),
            next,
          );
      };
      const expected = await run(model, feed(17));
      for (const target of [13, 18, NEWEST_OPSET]) {
        if (target < spec.opset) continue;
        const { model: after } = await raised(model, target);
        assert.equal(opsetVersion(after), target);
        assertSameOutputs(await run(after, feed(17)), expected, 2e-7, `opset ${target}`);
        if (target === NEWEST_OPSET && spec.ops !== undefined) {
          assert.deepEqual(
            graphOf(after).node.map((n) => n.opType),
            spec.ops,
          );
        }
      }
    });
  }

  test('inside the branches of an If, constants included', async () => {
    const branch = (name: string, min: number) =>
      graphAttribute(
        name,
        buildGraph({
          inputs: {},
          constants: {},
          nodes: [
            makeNode({
              op: 'Clip',
              name: `${name}_clip`,
              inputs: ['x'],
              outputs: [`${name}_c`],
              attributes: { min: { f: min } },
            }),
            makeNode({
              op: 'Squeeze',
              name: `${name}_squeeze`,
              inputs: [`${name}_c`],
              outputs: [`${name}_s`],
              attributes: { axes: [0] },
            }),
            makeNode({
              op: 'Softmax',
              name: `${name}_softmax`,
              inputs: [`${name}_s`],
              outputs: [`${name}_y`],
              attributes: { axis: 1 },
            }),
          ],
          outputs: [`${name}_y`],
        }),
      );
    const branching = node('If', ['c'], ['y']);
    branching.attribute.push(branch('then_branch', -0.5), branch('else_branch', 0.5));
    const model = buildModel({
      opset: 9,
      inputs: { x: [1, 3, 4, 2] },
      constants: { zero: f32([], [0]) },
      nodes: [
        makeNode({ op: 'ReduceSum', name: 'sum', inputs: ['x'], outputs: ['total'], attributes: { keepdims: 0 } }),
        makeNode({ op: 'Greater', name: 'greater', inputs: ['total', 'zero'], outputs: ['c'] }),
        branching,
      ],
      outputs: ['y'],
    });
    for (const seed of [1, 2, 3, 4]) {
      const feed = (): ReturnType<typeof randomTensor> => randomTensor('float32', [1, 3, 4, 2], random(seed));
      const expected = await run(model, feed);
      const { model: after, changed } = await raised(model, NEWEST_OPSET);
      assertSameOutputs(await run(after, feed), expected, 2e-7, `seed ${seed}`);
      assert.ok(changed.includes('then_branch_clip') && changed.includes('else_branch_softmax'));
      const names = [...walkGraphs(graphOf(after))].flatMap((g) => g.node.map((n) => n.name));
      assert.equal(new Set(names).size, names.length);
    }
  });
});

describe('what the runtime no longer runs is raised to what it meant', () => {
  for (const { name, old, today } of OLD_PAIRS) {
    test(name, async () => {
      const feed = (): ((input: TensorInfo) => Tensor) => {
        const next = random(5);
        return ({ type, shape }) => randomTensor(type, shape.map(Number), next);
      };
      const { model: after } = await raised(buildModel(old), 13);
      assertSameOutputs(await run(after, feed()), await run(buildModel(today), feed()), 1e-6, name);
    });
  }
});

describe('what cannot be raised is refused by operator and node', () => {
  const refusals: readonly (Case & { readonly message: RegExp })[] = [
    {
      name: 'per-position BatchNormalization',
      opset: 7,
      inputs: x44,
      constants: bnConstants,
      nodes: one('BatchNormalization', { spatial: 0 }, bnInputs),
      message: /BatchNormalization "BatchNormalization_of_y".*opset 9.*spatial/,
    },
    {
      name: 'used Dropout mask',
      opset: 7,
      inputs: x44,
      nodes: one('Dropout', {}, ['x'], ['y', 'mask']),
      outputs: ['y', 'mask'],
      message: /Dropout .*opset 10.*mask/,
    },
    {
      name: 'used Dropout mask of truth values',
      opset: 10,
      inputs: x44,
      nodes: one('Dropout', {}, ['x'], ['y', 'mask']),
      outputs: ['y', 'mask'],
      message: /Dropout .*opset 12.*mask/,
    },
    {
      name: 'Resize both ways',
      opset: 10,
      inputs: x44,
      constants: { s: f32([4], [1, 1, 2, 0.5]) },
      nodes: one('Resize', {}, ['x', 's']),
      message: /Resize .*opset 11.*shrinks/,
    },
    {
      name: 'Resize by a computed scale',
      opset: 10,
      inputs: { x: [1, 1, 4, 4], s: [4] },
      nodes: one('Resize', {}, ['x', 's']),
      message: /Resize .*opset 11.*computed/,
    },
    {
      name: 'tf_half_pixel_for_nn',
      opset: 11,
      inputs: x44,
      constants: { r: f32([0], []), s: f32([4], [1, 1, 2, 2]) },
      nodes: one('Resize', { coordinate_transformation_mode: 'tf_half_pixel_for_nn' }, ['x', 'r', 's']),
      message: /opset 13.*tf_half_pixel_for_nn/,
    },
    {
      name: 'GroupNormalization of unknown channels',
      opset: 18,
      inputs: { x: ['n', 'c', 3] },
      constants: { s: f32([2], [1, 1]), b: f32([2], [0, 0]) },
      nodes: one('GroupNormalization', { num_groups: 2 }, ['x', 's', 'b']),
      message: /GroupNormalization .*opset 21/,
    },
    { name: 'Scan-8', opset: 8, inputs: x44, nodes: one('Scan'), message: /Scan .*opset 9/ },
  ];
  for (const { name, message, ...spec } of refusals) {
    test(name, async () => {
      const model = buildModel({ ...spec, outputs: spec.outputs ?? ['y'] });
      await assert.rejects(raised(model, NEWEST_OPSET), (error) => {
        assert.ok(error instanceof QuantscopeError);
        assert.equal(error.code, 'opset-conversion');
        assert.match(error.message, message);
        return true;
      });
    });
  }

  test('opsets outside the known range, and lowering', async () => {
    const at = (opset: number): OnnxModel => buildModel({ opset, inputs: x44, nodes: one('Relu'), outputs: ['y'] });
    for (const [from, to] of [
      [13, 12],
      [13, NEWEST_OPSET + 1],
    ] as const) {
      await assert.rejects(raised(at(from), to), { code: 'opset-conversion' });
    }
  });
});

test('operators of other domains are left alone', async () => {
  const model = buildModel({ opset: 11, inputs: x44, nodes: one('Relu'), outputs: ['y'] });
  const custom = makeNode({
    op: 'Squeeze',
    name: 'mine',
    domain: 'mine',
    inputs: ['x'],
    outputs: ['z'],
    attributes: { axes: [0] },
  });
  graphOf(model).node.push(custom);
  const { model: after, changed } = await raised(model, 13);
  assert.deepEqual(changed, []);
  assert.deepEqual(
    graphOf(after).node[1]?.attribute.map((a) => a.name),
    ['axes'],
  );
});
