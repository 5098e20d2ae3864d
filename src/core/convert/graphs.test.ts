/** Static quantization of whole graphs: what neighbours share, and what stays float. */

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  buildGraph,
  buildModel,
  f32,
  graphAttribute,
  i64,
  node,
  random,
  randomTensor,
  type ModelSpec,
} from '../normalize/fixtures/models';
import { Graph } from '../onnx/graph';
import type { OnnxModel } from '../onnx/model';
import { optimizeModel } from '../runtime/inspect';
import { makeTensor, type Tensor } from '../tensor';
import { classify, findKernels } from '../verify/kernels';
import { layerOf, outputsAt, quantize, storedInput, type Quantized, type Settings } from './fixtures/quantized';

const next = random(5);
const tensor = (...dims: number[]): Tensor => randomTensor('float32', dims, next, 2);

const PADS = { pads: [1, 1, 1, 1] };
const IMAGE = [1, 4, 6, 6];

function graph(nodes: ModelSpec['nodes'], more: Partial<ModelSpec> = {}): OnnxModel {
  return buildModel({
    opset: 13,
    inputs: { x: IMAGE, ...more.inputs },
    constants: { w: tensor(4, 4, 3, 3), v: tensor(4, 4, 3, 3), ...more.constants },
    nodes,
    outputs: more.outputs ?? ['y'],
  });
}

const samples = [{ x: tensor(...IMAGE) }, { x: tensor(...IMAGE) }];

/**
 * Quantizes, and checks what holds of every graph: it loads at all levels, all of them agree to a few
 * steps of the outputs, and every layer runs on the kernel that the plan says.
 */
async function checked(model: OnnxModel, settings: Settings = {}): Promise<Quantized> {
  const quantized = await quantize(model, samples, settings);
  const { conversion, plan } = quantized;
  const fp32 = await outputsAt(model, samples[0]!, 'disabled');
  for (const level of ['disabled', 'basic', 'extended', 'all'] as const) {
    const outputs = await outputsAt(conversion.model, samples[0]!, level);
    for (const [name, wanted] of Object.entries(fp32)) {
      let worst = 0;
      let largest = 1e-9;
      wanted.data.forEach((value, i) => {
        worst = Math.max(worst, Math.abs(Number(value) - Number(outputs[name]!.data[i])));
        largest = Math.max(largest, Math.abs(Number(value)));
      });
      assert.ok(worst < 0.1 * largest, `${level}: ${name} is off by ${worst} of ${largest}`);
    }
  }
  const kernels = findKernels(plan, conversion, new Graph(await optimizeModel(conversion.model, 'extended')));
  for (const [name, { status, kernel }] of classify(plan, kernels)) {
    assert.equal(status === 'quantized', layerOf(plan, name).quantize, `${name} is ${status} as ${kernel}`);
  }
  return quantized;
}

const scaleNames = ({ conversion }: Quantized, tensorName: string): string[] => {
  const made = new Graph(conversion.model).producer(conversion.activations.get(tensorName)!.integer)!;
  return made.input.slice(1);
};

describe('residuals and constants', () => {
  test('an Add of two int8 layers', async () => {
    const { plan } = await checked(
      graph([
        node('Conv', ['x', 'w'], ['a'], PADS),
        node('Relu', ['a'], ['r']),
        node('Conv', ['r', 'v'], ['b'], PADS),
        node('Add', ['r', 'b'], ['s']),
        node('Relu', ['s'], ['t']),
        node('Conv', ['t', 'w'], ['y'], PADS),
      ]),
    );
    assert.ok(plan.layers.every((layer) => layer.quantize));
    assert.deepEqual(layerOf(plan, 'Add_of_s').outputs, ['t']);
  });

  test('constant operands of Add and Mul are stored as integers', async () => {
    const { conversion } = await checked(
      graph(
        [
          node('Conv', ['x', 'w'], ['a'], PADS),
          node('Relu', ['a'], ['r']),
          node('Mul', ['r', 'factor'], ['m']),
          node('Add', ['offset', 'm'], ['n']),
          node('Conv', ['n', 'v'], ['y'], PADS),
        ],
        { constants: { factor: f32([4, 1, 1], [0.6, 1.4, -1, 2]), offset: f32([], [0.25]) } },
      ),
    );
    const graphView = new Graph(conversion.model);
    assert.deepEqual([...storedInput(conversion.model, 'Mul_of_m', 1).data], [136, 204, 0, 255]);
    assert.deepEqual([...storedInput(conversion.model, 'Add_of_n', 0).data], [255]);
    assert.equal(graphView.isConstant('factor'), false, 'the float is gone');
  });

  test('a constant of one sign, and of zeros', async () => {
    await checked(
      graph(
        [
          node('Conv', ['x', 'w'], ['a'], PADS),
          node('Add', ['a', 'negative'], ['m']),
          node('Add', ['m', 'zeros'], ['n']),
          node('Conv', ['n', 'v'], ['y'], PADS),
        ],
        { constants: { negative: f32([1], [-0.5]), zeros: f32([4, 1, 1], [0, 0, 0, 0]) } },
      ),
    );
  });
});

describe('shared scales', () => {
  test('MaxPool and Reshape leave the integers as they are', async () => {
    const quantized = await checked(
      graph(
        [
          node('Conv', ['x', 'w'], ['a'], PADS),
          node('MaxPool', ['a'], ['m'], { kernel_shape: [3, 3], pads: [1, 1, 1, 1] }),
          node('Reshape', ['m', 'flat'], ['f']),
          node('Gemm', ['f', 'fc'], ['y']),
        ],
        { constants: { flat: i64([2], [1, -1]), fc: tensor(144, 5) } },
      ),
    );
    assert.deepEqual(scaleNames(quantized, 'm'), scaleNames(quantized, 'a'));
    assert.deepEqual(scaleNames(quantized, 'f'), scaleNames(quantized, 'a'));
  });

  test('a Concat and its inputs have the union of the ranges', async () => {
    const quantized = await checked(
      graph(
        [
          node('Conv', ['x', 'w'], ['a'], PADS),
          node('Conv', ['x', 'v'], ['b'], PADS),
          node('Concat', ['a', 'b'], ['c'], { axis: 1 }),
          node('Conv', ['c', 'w8'], ['y'], PADS),
        ],
        { constants: { w8: tensor(4, 8, 3, 3) } },
      ),
    );
    assert.deepEqual(scaleNames(quantized, 'a'), scaleNames(quantized, 'b'));
    const { min, max } = quantized.conversion.activations.get('c')!.range;
    const [a, b] = ['a', 'b'].map((name) => quantized.ranges.get(name)!);
    assert.deepEqual([min, max], [Math.min(a!.min, b!.min), Math.max(a!.max, b!.max)]);
  });
});

describe('folded activations still cut', () => {
  const smallest = async ({ conversion }: Quantized, name: string): Promise<number> => {
    const { dequantized } = conversion.activations.get(name)!;
    // Twice what was calibrated, so that more would come through if it could.
    const feeds = { x: { ...samples[0]!.x, data: (samples[0]!.x.data as Float32Array).map((v) => -2 * v) } };
    const outputs = await outputsAt(conversion.model, feeds, 'all', [dequantized]);
    return Math.min(...(outputs[dequantized]!.data as Float32Array));
  };

  for (const settings of [
    {},
    { activations: 'int8' },
    { backend: 'fbgemm' },
    { activations: { symmetric: true } },
  ] as const) {
    test(`a Relu with ${JSON.stringify(settings)}`, async () => {
      const model = graph([
        node('Conv', ['x', 'w'], ['a'], PADS),
        node('Relu', ['a'], ['r']),
        node('Conv', ['r', 'v'], ['y'], PADS),
      ]);
      // Quantization of one more tensor by fewer bits is still within the bound.
      const quantized = await quantize(model, samples, settings);
      assert.equal(await smallest(quantized, 'r'), 0);
    });
  }

  test('a Relu beside a linear branch of a Concat', async () => {
    const quantized = await checked(
      graph(
        [
          node('Conv', ['x', 'w'], ['a'], PADS),
          node('Relu', ['a'], ['r']),
          node('Conv', ['x', 'v'], ['b'], PADS),
          node('Concat', ['r', 'b'], ['c'], { axis: 1 }),
          node('Conv', ['c', 'w8'], ['y'], PADS),
        ],
        { constants: { w8: tensor(4, 8, 3, 3) } },
      ),
    );
    assert.equal(await smallest(quantized, 'r'), 0);
    assert.ok((await smallest(quantized, 'b')) < 0);
  });

  test('a Relu whose layer writes floats', async () => {
    const model = buildModel({
      opset: 13,
      inputs: { x: [3, 8] },
      constants: { w: tensor(8, 4), b: tensor(4) },
      nodes: [node('Gemm', ['x', 'w', 'b'], ['a']), node('Relu', ['a'], ['y'])],
      outputs: ['y'],
    });
    const feeds = { x: tensor(3, 8) };
    const { conversion } = await quantize(model, [feeds]);
    const { y } = await outputsAt(conversion.model, feeds, 'all');
    assert.ok(Math.min(...(y!.data as Float32Array)) === 0);
  });

  test('a Relu that calibration saw only closed', async () => {
    const model = graph(
      [node('Conv', ['x', 'w', 'low'], ['a'], PADS), node('Relu', ['a'], ['r']), node('Conv', ['r', 'v'], ['y'], PADS)],
      { constants: { low: f32([4], [-99, -99, -99, -99]) } },
    );
    for (const activations of ['uint8', 'int8'] as const) {
      const quantized = await quantize(model, samples, { activations });
      assert.equal(await smallest(quantized, 'r'), 0, activations);
    }
  });
});

describe('the ends of the graph', () => {
  test('an output made in int8 keeps its name and type, and others may read it', async () => {
    const { conversion } = await checked(
      graph([node('Conv', ['x', 'w'], ['y'], PADS), node('Conv', ['y', 'v'], ['z'], PADS)], { outputs: ['y', 'z'] }),
    );
    assert.equal(conversion.activations.get('y')!.dequantized, 'y');
  });

  test('an input read by int8 and float layers is float for the latter', async () => {
    const model = graph(
      [node('Conv', ['x', 'w'], ['a'], PADS), node('Tanh', ['x'], ['t']), node('Sub', ['a', 't'], ['y'])],
      { outputs: ['y', 't'] },
    );
    const { conversion } = await checked(model);
    const [fp32, int8] = [
      await outputsAt(model, samples[0]!, 'disabled'),
      await outputsAt(conversion.model, samples[0]!, 'disabled'),
    ];
    assert.deepEqual(int8['t'], fp32['t']);
  });

  test('a float tensor read by both stays float for float readers; an int8 one is rounded for all', async () => {
    const model = graph(
      [
        node('Tanh', ['x'], ['t']),
        node('Conv', ['t', 'w'], ['a'], PADS),
        node('Sub', ['a', 't'], ['y']),
        node('Tanh', ['a'], ['z']),
      ],
      { outputs: ['y', 'z', 't'] },
    );
    const { conversion } = await checked(model);
    const graphView = new Graph(conversion.model);
    const readBy = (name: string, input: number): string =>
      graphView.nodes.find((candidate) => candidate.name === name)!.input[input]!;
    assert.equal(readBy('Sub_of_y', 1), 't');
    assert.equal(graphView.producer(readBy('Sub_of_y', 0))?.opType, 'DequantizeLinear');
    assert.equal(readBy('Tanh_of_z', 0), readBy('Sub_of_y', 0));
  });

  test('an input that is also an output', async () => {
    await checked(graph([node('Conv', ['x', 'w'], ['y'], PADS)], { outputs: ['y', 'x'] }));
  });
});

describe('subgraphs', () => {
  const branch = (read: string, made: string): ReturnType<typeof buildGraph> =>
    buildGraph({ inputs: {}, nodes: [node('Tanh', [read], [made])], outputs: [made] });

  for (const [what, inner] of [
    ['reads an outer int8 tensor', 'r'],
    ['has a tensor named like one that quantization makes', 'a_quantized'],
  ] as const) {
    test(`one that ${what}`, async () => {
      const choice = node('If', ['c'], ['b']);
      choice.attribute.push(
        graphAttribute('then_branch', branch('a', inner)),
        graphAttribute('else_branch', branch('x', 'other')),
      );
      const model = buildModel({
        opset: 13,
        inputs: { x: IMAGE, c: ['bool', []] },
        constants: { w: tensor(4, 4, 3, 3), v: tensor(4, 4, 3, 3) },
        nodes: [
          node('Conv', ['x', 'w'], ['a'], PADS),
          choice,
          node('Conv', ['b', 'v'], ['y'], PADS),
          node('Conv', ['a', 'v'], ['z'], PADS),
        ],
        outputs: ['y', 'z'],
      });
      for (const open of [0, 1]) {
        const feeds = { x: samples[0]!.x, c: makeTensor('bool', [], Uint8Array.of(open)) };
        const { conversion } = await quantize(model, [feeds]);
        const fp32 = await outputsAt(model, feeds, 'disabled');
        for (const level of ['disabled', 'all'] as const) {
          const { y } = await outputsAt(conversion.model, feeds, level);
          y!.data.forEach((value, i) => {
            assert.ok(Math.abs(Number(value) - Number(fp32['y']!.data[i])) < 0.1, `${level} ${i}`);
          });
        }
      }
    });
  }
});

describe('other shapes', () => {
  test('the batch stays free', async () => {
    const model = graph([node('Conv', ['x', 'w'], ['a'], PADS), node('Relu', ['a'], ['y'])], {
      inputs: { x: ['batch', 4, 'height', 6] },
    });
    const { conversion } = await checked(model);
    for (const dims of [
      [3, 4, 6, 6],
      [2, 4, 9, 6],
    ]) {
      const { y } = await outputsAt(conversion.model, { x: tensor(...dims) }, 'all');
      assert.deepEqual(y!.dims, dims);
    }
  });

  test('one tensor on both sides of an operator, and one weight in two layers', async () => {
    await checked(
      graph([
        node('Conv', ['x', 'w'], ['a'], PADS),
        node('Add', ['a', 'a'], ['b']),
        node('Conv', ['b', 'w'], ['c'], PADS),
        node('Mul', ['c', 'c'], ['d']),
        node('Conv', ['d', 'v'], ['y'], PADS),
      ]),
    );
  });

  test('names that quantization would give are taken', async () => {
    await checked(
      graph([
        node('Conv', ['x', 'w'], ['a'], PADS),
        node('Relu', ['a'], ['a_quantized']),
        node('Conv', ['a_quantized', 'v'], ['a_scale'], PADS),
        node('Conv', ['a_scale', 'w'], ['w_quantized'], PADS),
        node('Abs', ['w_quantized'], ['y']),
      ]),
    );
  });
});
