import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { weightScales } from '../calibrate/qparams';
import { quantizeArray } from '../calibrate/quantize';
import { node, random, randomTensor } from '../normalize/fixtures/models';
import type { NodeProto } from '../onnx/generated/onnx_pb';
import { makeTensor, toFloat32, type Tensor } from '../tensor';
import { correctBias, outputShift } from './biasCorrection';
import { conv, fakeQuantizeWeight, product, toArray64, transposed, type Array64 } from './fixtures/reference';

const next = random(41);

/** Three bits, so that rounding moves the means visibly. */
function rounded(
  weight: Tensor,
  axis: number,
): { integers: Tensor; float: Array64; params: Parameters<typeof outputShift>[3] } {
  const spec = { bits: 8, qmin: -3, qmax: 3, symmetric: true };
  const { scales, zeroPoints } = weightScales(toFloat32(weight), weight.dims, axis, spec, 'ort');
  const data = quantizeArray(toFloat32(weight), weight.dims, axis, scales, zeroPoints, 'int8');
  const inner = weight.dims.slice(axis + 1).reduce((a, b) => a * b, 1);
  const float = Float64Array.from(data, (q, i) => q * scales[Math.floor(i / inner) % scales.length]!);
  return {
    integers: { type: 'int8', dims: weight.dims, data },
    float: { dims: weight.dims, data: float },
    params: { axis, scales, zeroPoints },
  };
}

function assertClose(actual: Float32Array | undefined, expected: readonly number[]): void {
  assert.equal(actual?.length, expected.length);
  expected.forEach((wanted, i) =>
    assert.ok(Math.abs(actual[i]! - wanted) < 1e-5, `[${i}] is ${actual[i]}, not ${wanted}`),
  );
  assert.ok(
    expected.some((wanted) => Math.abs(wanted) > 1e-3),
    'something moved',
  );
}

describe('the shift of the means', () => {
  test('of a convolution is what constant inputs show', () => {
    for (const group of [1, 2]) {
      const weight = randomTensor('float32', [4, 6 / group, 3, 2], next);
      const { integers, float, params } = rounded(weight, 0);
      const means = Float32Array.from({ length: 6 }, () => next() - 0.3);
      const image = {
        dims: [1, 6, 3, 2],
        data: Float64Array.from({ length: 36 }, (_, i) => means[Math.floor(i / 6)]!),
      };
      const exact = conv(image, toArray64(weight), undefined, { group });
      const moved = conv(image, float, undefined, { group });
      const shift = outputShift(node('Conv', ['x', 'w'], ['y'], { group }), weight, integers, params, means);
      assertClose(
        shift,
        Array.from(moved.data, (value, i) => value - exact.data[i]!),
      );
    }
  });

  test('of a Gemm, straight and transposed', () => {
    for (const transB of [0, 1]) {
      const weight = randomTensor('float32', transB === 1 ? [3, 5] : [5, 3], next);
      const { integers, float, params } = rounded(weight, transB === 1 ? 0 : 1);
      const means = Float32Array.from({ length: 5 }, () => next());
      const row = { dims: [1, 5], data: Float64Array.from(means) };
      const turn = (w: Array64): Array64 => (transB === 1 ? transposed(w) : w);
      const exact = product(row, turn(toArray64(weight)));
      const moved = product(row, turn(float));
      const shift = outputShift(node('Gemm', ['x', 'w'], ['y'], { transB }), weight, integers, params, means);
      assertClose(
        shift,
        Array.from(moved.data, (value, i) => value - exact.data[i]!),
      );
    }
  });

  test('is unknown where there is no bias or the means do not fit', () => {
    const weight = randomTensor('float32', [4, 4], next);
    const { integers, params } = rounded(weight, 1);
    const of = (made: NodeProto, count: number): unknown =>
      outputShift(made, weight, integers, params, new Float32Array(count));
    assert.equal(of(node('MatMul', ['x', 'w'], ['y']), 4), undefined);
    assert.equal(of(node('Gemm', ['x', 'w'], ['y']), 5), undefined);
    const kernel = makeTensor('float32', [4, 4, 1, 1], toFloat32(weight));
    const { integers: q, params: p } = rounded(kernel, 0);
    assert.equal(outputShift(node('Conv', ['x', 'w'], ['y']), kernel, q, p, new Float32Array(3)), undefined);
  });

  test('is nothing where the weights are exact', () => {
    const weight = makeTensor('float32', [2, 2], Float32Array.of(127, 2, 3, -127));
    const { scales } = fakeQuantizeWeight(weight, 1);
    assert.deepEqual(scales, [1, 1]);
    const integers: Tensor = { type: 'int8', dims: [2, 2], data: Int8Array.of(127, 2, 3, -127) };
    const params = { axis: 1, scales: Float32Array.of(1, 1), zeroPoints: Int32Array.of(0, 0) };
    const shift = outputShift(node('Gemm', ['x', 'w'], ['y']), weight, integers, params, Float32Array.of(5, 7));
    assert.deepEqual(shift, Float32Array.of(0, 0));
  });
});

test('a bias takes the shift back, and is made where there was none', () => {
  assert.deepEqual(correctBias(Float32Array.of(1, 2), Float32Array.of(0.5, -1)), Float32Array.of(0.5, 3));
  assert.deepEqual(correctBias(undefined, Float32Array.of(0.5, -1)), Float32Array.of(-0.5, 1));
  assert.deepEqual(correctBias(Float32Array.of(1), undefined), Float32Array.of(1));
  assert.equal(correctBias(undefined, undefined), undefined);
});
