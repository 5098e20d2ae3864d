/** Against the runtime: leaves that hold their own number, moved about by the very operators. */

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { buildModel, f32, i64, node } from '../normalize/fixtures/models';
import type { NodeProto } from '../onnx/generated/onnx_pb';
import { Graph } from '../onnx/graph';
import { inferTensors } from '../runtime/inspect';
import { openSession } from '../runtime/session';
import { toFloat32, type Tensor } from '../tensor';
import { joinedParts } from './joined';

interface Built {
  readonly nodes: NodeProto[];
  readonly inputs: Record<string, readonly number[]>;
  readonly constants: Record<string, Tensor>;
}

/** One of what may stand between a Concat and the output, on a tensor of these dimensions. */
type Move = 'Identity' | 'Relu' | 'Mul' | 'Transpose' | 'Flatten' | 'Reshape';
const MOVES: readonly Move[] = ['Identity', 'Relu', 'Mul', 'Transpose', 'Flatten', 'Reshape'];

/** Adds what makes a tensor of these dimensions; `choose(n)` is a number below n. @returns its name */
function grow(built: Built, dims: readonly number[], depth: number, choose: (n: number) => number): string {
  const name = `t${built.nodes.length + Object.keys(built.inputs).length}`;
  const axis = choose(dims.length);
  if (depth === 0 || dims[axis]! < 2) {
    built.inputs[name] = dims;
    return name;
  }
  const size = 1 + choose(dims[axis]! - 1);
  const [first, second] = [size, dims[axis]! - size].map((part) =>
    grow(
      built,
      dims.map((dim, i) => (i === axis ? part : dim)),
      depth - 1,
      choose,
    ),
  );
  const joined = `j${built.nodes.length}`;
  built.nodes.push(node('Concat', [first!, second!], [joined], { axis: choose(2) === 0 ? axis : axis - dims.length }));
  return joined;
}

function move(built: Built, tensor: string, dims: readonly number[], kind: Move): { name: string; dims: number[] } {
  const name = `m${built.nodes.length}`;
  const total = dims.reduce((a, b) => a * b, 1);
  const constant = `${name}c`;
  const after = { Transpose: dims.toReversed(), Flatten: [dims[0]!, total / dims[0]!], Reshape: [1, total] };
  if (kind === 'Reshape') built.constants[constant] = i64([2], [1, total]);
  if (kind === 'Mul') built.constants[constant] = f32([], [1]);
  const inputs = kind === 'Reshape' || kind === 'Mul' ? [tensor, constant] : [tensor];
  built.nodes.push(node(kind, inputs, [name], kind === 'Flatten' ? { axis: 1 } : {}));
  return { name, dims: kind in after ? [...after[kind as keyof typeof after]] : [...dims] };
}

describe('the parts that Concats join', () => {
  test('each value belongs to the input that it comes from, however it was moved', async () => {
    const shape = fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 2, maxLength: 4 });
    const moves = fc.array(fc.constantFrom(...MOVES), { maxLength: 3 });
    await fc.assert(
      fc.asyncProperty(shape, moves, fc.infiniteStream(fc.nat()), async (dims, between, numbers) => {
        const choose = (n: number): number => (numbers.next().value as number) % n;
        const built: Built = { nodes: [], inputs: {}, constants: {} };
        let at = { name: grow(built, dims, 3, choose), dims: [...dims] };
        for (const kind of between) at = move(built, at.name, at.dims, kind);
        if (built.nodes.length === 0) return;
        const model = buildModel({ opset: 17, ...built, outputs: [at.name] });
        const leaves = Object.keys(built.inputs);
        const feeds = Object.fromEntries(
          leaves.map((leaf, i) => {
            const own = built.inputs[leaf]!;
            return [leaf, f32(own, new Array<number>(own.reduce((a, b) => a * b, 1)).fill(i + 1))];
          }),
        );
        const session = await openSession(model, { threads: 1 });
        const made = (await session.run(feeds))[at.name]!;
        await session.close();
        const found = joinedParts(new Graph(model), await inferTensors(model), at.name, made.dims);
        if (leaves.length < 2) assert.equal(found, undefined);
        else
          assert.deepEqual(
            Array.from(found!.of, (part) => leaves.indexOf(found!.parts[part]!) + 1),
            [...toFloat32(made)],
          );
      }),
      { numRuns: 150 },
    );
  });

  test('sizes that the graph leaves open follow from the output', async () => {
    const nodes = [
      node('Relu', ['a'], ['p']),
      node('Relu', ['b'], ['q']),
      node('Concat', ['p', 'q'], ['y'], { axis: 1 }),
    ];
    const model = buildModel({ opset: 17, nodes, inputs: { a: ['N', 'A', 2], b: ['N', 3, 2] }, outputs: ['y'] });
    const found = joinedParts(new Graph(model), await inferTensors(model), 'y', [2, 5, 2])!;
    assert.deepEqual(
      [found.parts, [...found.of]],
      [
        ['p', 'q'],
        [0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1],
      ],
    );
  });

  test('behind what mixes the values there are no parts', async () => {
    for (const op of ['Softmax', 'ReduceMax', 'MatMul']) {
      const nodes = [
        node('Concat', ['a', 'b'], ['c'], { axis: 1 }),
        node(op, op === 'MatMul' ? ['c', 'w'] : ['c'], ['y']),
      ];
      const constants = { w: f32([4, 4], new Array<number>(16).fill(1)) };
      const model = buildModel({ opset: 17, nodes, inputs: { a: [1, 2], b: [1, 2] }, constants, outputs: ['y'] });
      assert.equal(joinedParts(new Graph(model), await inferTensors(model), 'y', [1, 4]), undefined);
    }
  });
});
