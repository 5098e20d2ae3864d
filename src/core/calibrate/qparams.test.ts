import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { affineParams, paramsOf, roundHalfEven, weightScales, type Convention, type QuantSpec } from './qparams';
import { QUANTIZED_TYPES, quantizeArray, type QuantizedType } from './quantize';
import { fixture, INT8, toFloats, UINT16, UINT8 } from './testData';

interface Found {
  spec: QuantSpec;
  scales: number[];
  zeroPoints: number[];
}
interface Fixture {
  ranges: [number, number][];
  params: Found[];
  weights: { dims: number[]; data: number[] };
  perChannel: (Found & { axis: number; type: QuantizedType; quantized: number[] })[];
}
interface OrtFixture extends Fixture {
  kernelInput: (number | string)[];
  kernel: { type: QuantizedType; scale: number; zeroPoint: number; y: number[] }[];
}

const ort = fixture('ort.json') as OrtFixture;
const torch = fixture('torch.json') as Fixture;

describe('scale and zero point against the frameworks', () => {
  for (const [convention, framework] of [
    ['ort', ort],
    ['torch', torch],
  ] as [Convention, Fixture][]) {
    test(`${convention}: every range, bit for bit`, () => {
      for (const { spec, scales, zeroPoints } of framework.params) {
        framework.ranges.forEach(([min, max], k) => {
          const { scale, zeroPoint } = paramsOf({ min, max }, spec, convention);
          const where = `${convention} [${min}, ${max}] ${JSON.stringify(spec)}`;
          assert.equal(scale, scales[k], where);
          // Where the scale is a placeholder, onnxruntime's zero point is 0; ours stays that of the other channels.
          if (spec.symmetric && spec.qmin === 0 && scale === 1 && max < 1e-30) return;
          assert.equal(zeroPoint, zeroPoints[k], where);
        });
      }
    });

    test(`${convention}: weights per channel, bit for bit`, () => {
      const { dims, data } = framework.weights;
      for (const { axis, spec, scales, zeroPoints } of framework.perChannel) {
        const found = weightScales(Float32Array.from(data), dims, axis, spec, convention);
        assert.deepEqual(
          [Array.from(found.scales), Array.from(found.zeroPoints)],
          [scales, zeroPoints],
          `axis ${axis}`,
        );
        const fromEnd = weightScales(Float32Array.from(data), dims, axis - dims.length, spec, convention);
        assert.deepEqual(fromEnd, found);
      }
    });
  }

  test('weights become the integers onnxruntime writes', () => {
    const { dims, data } = ort.weights;
    for (const { axis, scales, zeroPoints, type, quantized } of ort.perChannel) {
      const found = quantizeArray(
        Float32Array.from(data),
        dims,
        axis,
        Float32Array.from(scales),
        Int32Array.from(zeroPoints),
        type,
      );
      assert.deepEqual(Array.from(found), quantized);
    }
  });

  test('QuantizeLinear of the runtime: ties, saturation, NaN', () => {
    const values = toFloats(ort.kernelInput);
    for (const { type, scale, zeroPoint, y } of ort.kernel) {
      const found = quantizeArray(
        values,
        [values.length],
        null,
        Float32Array.of(scale),
        Int32Array.of(zeroPoint),
        type,
      );
      assert.deepEqual(Array.from(found), y, `${type} ${scale}`);
    }
  });
});

const bound = fc.float({ noNaN: true, noDefaultInfinity: true, min: Math.fround(-1e30), max: Math.fround(1e30) });
const range = fc.tuple(bound, bound).map(([a, b]) => ({ min: Math.min(a, b), max: Math.max(a, b) }));
const spec = fc.constantFrom(UINT8, INT8, UINT16, { ...UINT8, qmax: 127 }, { ...INT8, qmin: -128, symmetric: false });
const typeOf = ({ bits, qmin }: QuantSpec): QuantizedType => (bits === 16 ? 'uint16' : qmin < 0 ? 'int8' : 'uint8');

describe('scale and zero point: properties', () => {
  test('zero is exact, and a value inside the range errs by half a step at most', () => {
    fc.assert(
      fc.property(
        range,
        spec,
        fc.constantFrom<Convention>('ort', 'torch'),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (r, s, convention, at) => {
          const { scale, zeroPoint } = paramsOf(r, s, convention);
          assert.equal(scale, Math.fround(scale));
          assert.ok(scale > 0 && Number.isInteger(zeroPoint) && zeroPoint >= s.qmin && zeroPoint <= s.qmax);
          const [low, high] = [Math.min(0, r.min), Math.max(0, r.max)];
          const x = Math.fround(low + at * (high - low));
          const type = typeOf(s);
          const [q, zero] = quantizeArray(
            Float32Array.of(x, 0),
            [2],
            null,
            Float32Array.of(scale),
            Int32Array.of(zeroPoint),
            type,
          );
          assert.equal(zero, zeroPoint);
          // Rounding the zero point moves the range by up to half a step; the symmetric grid of torch ends half a step short.
          const slack = x - low < scale || high - x < scale ? 1 : 0.5;
          assert.ok(Math.abs(scale * (q! - zeroPoint) - x) <= slack * scale * (1 + 1e-4));
        },
      ),
    );
  });

  test('half to even', () => {
    assert.deepEqual(
      [-2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 2.4, -2.6].map((x) => roundHalfEven(x) + 0),
      [-2, -2, 0, 0, 2, 2, 2, -3],
    );
  });
});

describe('scale and zero point: cases', () => {
  test('a range whose length overflows float32 has a finite scale', () => {
    for (const convention of ['ort', 'torch'] as const) {
      const { scale } = affineParams({ min: -3e38, max: 3e38 }, UINT8, convention);
      assert.equal(scale, Math.fround((2 * Math.fround(3e38)) / 255));
    }
  });

  test('weights without finite values, without values, with a wrong axis', () => {
    const strange = weightScales(Float32Array.of(NaN, Infinity, 1, -Infinity), [2, 2], 0, INT8, 'ort');
    assert.deepEqual(strange, { scales: Float32Array.of(1, 1 / 127), zeroPoints: Int32Array.of(0, 0) });
    assert.deepEqual(weightScales(new Float32Array(0), [0, 3], 0, INT8, 'ort').scales, new Float32Array(0));
    assert.throws(() => weightScales(new Float32Array(4), [2, 2], 2, INT8, 'ort'), { code: 'data-invalid' });
    assert.throws(
      () => quantizeArray(new Float32Array(3), [2, 2], null, Float32Array.of(1), Int32Array.of(0), 'int8'),
      {
        code: 'data-invalid',
      },
    );
  });

  test('saturates at the bounds of the type', () => {
    for (const [type, { qmin, qmax }] of Object.entries(QUANTIZED_TYPES) as [
      QuantizedType,
      { qmin: number; qmax: number },
    ][]) {
      const found = quantizeArray(Float32Array.of(1e9, -1e9), [2], null, Float32Array.of(1), Int32Array.of(0), type);
      assert.deepEqual(Array.from(found), [qmax, qmin]);
    }
  });
});
