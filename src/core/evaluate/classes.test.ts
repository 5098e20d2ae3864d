import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { parseLabels } from '../labels';
import { buildModel, f32, node } from '../normalize/fixtures/models';
import type { NodeProto } from '../onnx/generated/onnx_pb';
import { Graph } from '../onnx/graph';
import type { Tensor } from '../tensor';
import { areProbabilities, chooseClasses, type ClassHints } from './classes';

const softmax = (values: readonly number[]): number[] => {
  const powers = values.map((value) => Math.exp(value));
  return powers.map((power) => power / powers.reduce((a, b) => a + b));
};
const LOGITS = [3, -1, 0.5, 7, -2, 0, 1, 2, -3, 4];
const row = (values: readonly number[], dims = [1, values.length]): Tensor => f32(dims, values);

function chosen(outputs: Readonly<Record<string, Tensor>>, hints: ClassHints = {}): string | null {
  const { chosen: found } = chooseClasses(outputs, hints);
  return found === null ? null : `${found.output} by ${found.because}`;
}

describe('what says that an output holds the scores of classes', () => {
  const scores = fc.array(fc.float({ min: -20, max: 20, noNaN: true }), { minLength: 2, maxLength: 40 });

  test('the values of every Softmax and LogSoftmax, whatever the scores', () => {
    fc.assert(
      fc.property(scores, (values) => {
        const likely = softmax(values);
        assert.ok(areProbabilities(Float32Array.from(likely)));
        assert.ok(areProbabilities(Float32Array.from(likely, Math.log)));
      }),
    );
  });

  // Shapes of scores, all of them: what each is, is in its values.
  const NONE: Readonly<Record<string, Tensor>> = {
    logits: row(LOGITS),
    landmarks: row([0.31, 0.42, 0.69, 0.41, 0.5, 0.61, 0.35, 0.8, 0.66, 0.79]),
    'embedding of length 1': row(LOGITS.map((x) => x / Math.hypot(...LOGITS))),
    'samples of a denoiser': row([0.01, -0.02, 0.2, -0.11], [1, 1, 4]),
    'sigmoids of several labels': row([0.9, 0.8, 0.1]),
    'nothing but zeros': row([0, 0, 0]),
    NaN: row([NaN, NaN]),
    'one value': row([1]),
    'boxes and scores': row([...softmax([1, 2]), ...softmax([3, 4])], [1, 2, 2]),
    'one row for each object': row([...softmax([1, 2, 3]), ...softmax([1, 2, 3])], [2, 3]),
  };
  for (const [what, y] of Object.entries(NONE)) {
    test(`not: ${what}`, () => {
      assert.equal(chosen({ y }, { batch: 1 }), null);
    });
  }

  test('candidates are told: outputs with one value for each of several classes', () => {
    assert.deepEqual(chooseClasses({ y: row(LOGITS), z: row([1]) }, {}).candidates, ['y']);
  });

  test('the recipe, for logits; of two outputs the probabilities', () => {
    assert.equal(chosen({ y: row(LOGITS) }, { task: 'classify' }), 'y by recipe');
    assert.equal(chosen({ x: row([1, 2]), y: row(softmax(LOGITS)) }, { task: 'classify' }), 'y by recipe');
    assert.equal(chosen({ y: row([1]) }, { task: 'classify' }), null);
  });

  test('labels, in an output with a class for each', () => {
    const labels = parseLabels('a\t9\n', 'labels.tsv');
    assert.equal(chosen({ few: row([1, 2]), y: row(LOGITS) }, { labels }), 'y by labels');
    assert.throws(() => chosen({ few: row([1, 2]) }, { labels }), { code: 'labels-invalid' });
  });

  test('a batch that is fixed has one row for each sample', () => {
    const y = row([...softmax([1, 2, 3]), ...softmax([1, 2, 3])], [2, 3]);
    assert.equal(chosen({ y }, { batch: 2 }), 'y by probabilities');
  });
});

describe('what the graph says', () => {
  const graph = (nodes: readonly NodeProto[], outputs: readonly string[]): Graph =>
    new Graph(buildModel({ opset: 17, nodes, inputs: { x: [1, 10] }, outputs }));

  test('an ArgMax ranks the logits, also behind a Softmax or a Reshape', () => {
    const ends: readonly (readonly NodeProto[])[] = [
      [node('ArgMax', ['y'], ['class'], { axis: 1 })],
      [node('Softmax', ['y'], ['p'], { axis: 1 }), node('ArgMax', ['p'], ['class'], { axis: 1 })],
      [node('Flatten', ['y'], ['p']), node('ArgMax', ['p'], ['class'], { axis: 1 })],
    ];
    for (const end of ends) {
      const found = graph([node('Relu', ['x'], ['y']), ...end], ['y', 'class']);
      assert.equal(chosen({ y: row(LOGITS) }, { graph: found }), 'y by argmax');
    }
    const inside = graph([node('ArgMax', ['x'], ['i'], { axis: 1 }), node('Neg', ['x'], ['y'])], ['y', 'i']);
    assert.equal(chosen({ y: row(LOGITS) }, { graph: inside }), null);
  });

  test('a model that finds objects has no one class, whatever its other outputs look like', () => {
    const nodes = [
      node('Relu', ['x'], ['s']),
      node('NonZero', ['s'], ['found']),
      node('Cast', ['found'], ['dets'], { to: 1 }),
    ];
    assert.equal(chosen({ s: row(softmax(LOGITS)) }, { graph: graph(nodes, ['dets', 's']) }), null);
    assert.equal(chosen({ s: row(softmax(LOGITS)) }, { graph: graph(nodes, ['s']) }), 's by probabilities');
  });
});
