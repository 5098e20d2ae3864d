import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import * as path from 'node:path';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { preprocessSchema, type Preprocess } from '../../shared/recipe';
import type { Tensor } from '../tensor';
import { decodeImage, imageConverter } from './image';
import { resizeBilinear, type Pixels } from './pixels';
import { describePreprocess, guessPreprocess, resolvePreprocess } from './preprocess';
import type { InputInfo } from './types';

const FIXTURES = path.resolve(__dirname, '../../../test/fixtures/data');
const fixture = (name: string): Buffer => readFileSync(path.join(FIXTURES, name));

interface Case {
  readonly image: string;
  readonly preprocess: Preprocess;
  readonly shape: (number | string)[];
  readonly dtype: string;
  readonly dims: number[];
  readonly expected: string;
}
const cases = JSON.parse(fixture('expected/listing.json').toString()) as Case[];
const image = (shape: readonly (number | string)[], type = 'float32'): InputInfo => ({ name: 'x', type, shape });
const code = (wanted: string) => (error: unknown) => (error as { code?: string }).code === wanted;

function bytesOf({ data }: Tensor): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

describe('preprocessing equals Pillow and NumPy to the bit', () => {
  test('all cases are there', () => assert.ok(cases.length >= 30));

  for (const { image: file, preprocess, shape, dtype, dims, expected } of cases) {
    test(`${file} → ${dtype} [${shape.join(', ')}] ${JSON.stringify(preprocess)}`, async () => {
      const resolved = resolvePreprocess(preprocessSchema.parse(preprocess), image(shape, dtype));
      const tensor = imageConverter(resolved)(await decodeImage(fixture(`images/${file}`)));
      const reference = fixture(`expected/${expected}`);
      assert.deepEqual(tensor.dims, dims);
      assert.equal(tensor.type, dtype);
      assert.ok(Buffer.from(bytesOf(tensor)).equals(reference), worst(tensor, reference));
    });
  }
});

function worst(tensor: Tensor, reference: Buffer): string {
  const copy = Uint8Array.from(reference);
  const Storage = tensor.data.constructor as new (buffer: ArrayBufferLike) => Tensor['data'];
  const wanted = Array.from<number | bigint>(new Storage(copy.buffer)).map(Number);
  const errors = Array.from<number | bigint>(tensor.data).map((value, i) => Math.abs(Number(value) - wanted[i]!));
  return `largest difference ${Math.max(...errors)}, ${errors.filter((e) => e > 0).length} of ${errors.length} differ`;
}

describe('resizeBilinear', () => {
  const pixels = fc
    .tuple(fc.integer({ min: 1, max: 12 }), fc.integer({ min: 1, max: 12 }), fc.constantFrom<(1 | 3)[]>(1, 3))
    .chain(([width, height, channels]) =>
      fc
        .uint8Array({ minLength: width * height * channels, maxLength: width * height * channels })
        .map((data): Pixels => ({ width, height, channels, data })),
    );
  const side = fc.integer({ min: 1, max: 20 });

  test('keeps the size asked for and stays between the darkest and the brightest pixel', () => {
    fc.assert(
      fc.property(pixels, side, side, (source, width, height) => {
        const out = resizeBilinear(source, width, height);
        assert.deepEqual([out.width, out.height, out.data.length], [width, height, width * height * source.channels]);
        const [low, high] = [Math.min(...source.data), Math.max(...source.data)];
        assert.ok(out.data.every((value) => value >= low && value <= high));
      }),
    );
  });

  test('leaves an image of the right size untouched', () => {
    fc.assert(
      fc.property(pixels, (source) => assert.equal(resizeBilinear(source, source.width, source.height), source)),
    );
  });

  test('treats channels alike', () => {
    fc.assert(
      fc.property(pixels, side, side, (source, width, height) => {
        const gray: Pixels = { ...source, channels: 1, data: source.data.filter((_, i) => i % source.channels === 0) };
        const whole = resizeBilinear(source, width, height).data.filter((_, i) => i % source.channels === 0);
        assert.deepEqual(whole, resizeBilinear(gray, width, height).data);
      }),
    );
  });
});

describe('decodeImage', () => {
  for (const [file, message] of [
    ['cut.jpg', /premature|truncated|end of/i],
    ['empty.png', /empty/],
    ['text.jpg', /not a JPEG, PNG or WebP/],
    ['bitmap.bmp', /not a JPEG, PNG or WebP/],
  ] as const) {
    test(`refuses ${file}`, async () => assert.rejects(decodeImage(fixture(`unreadable/${file}`)), message));
  }
});

describe('resolvePreprocess', () => {
  test('repeats the image to fill a fixed batch', () => {
    const resolved = resolvePreprocess({}, image([2, 1, 1, 2]));
    const tensor = imageConverter(resolved)({ width: 2, height: 1, channels: 1, data: Uint8Array.of(3, 4) });
    assert.deepEqual(
      [tensor.dims, Array.from(tensor.data as Float32Array)],
      [
        [2, 1, 1, 2],
        [3, 4, 3, 4],
      ],
    );
  });

  test('takes symbolic dims from the crop, or leaves images as they are', () => {
    const shape = ['N', 3, 'H', 'W'];
    const { width, height } = resolvePreprocess({ crop: [20, 10] }, image(shape));
    assert.deepEqual([width, height], [20, 10]);
    const free = resolvePreprocess({}, image(shape));
    assert.deepEqual([free.width, free.height, free.resize], [null, null, null]);
  });

  const wrong: [why: string, error: string, preprocess: Preprocess, shape: (number | string)[], type?: string][] = [
    ['no image', 'data-invalid', {}, [1, 128]],
    ['no channel axis', 'data-invalid', {}, [1, 64, 7, 7]],
    ['integers', 'data-invalid', {}, [1, 3, 8, 8], 'int64'],
    ['another dtype', 'data-invalid', { dtype: 'uint8' }, [1, 3, 8, 8]],
    ['another size', 'data-invalid', { crop: 7 }, [1, 3, 8, 8]],
    ['another colour', 'data-invalid', { color: 'gray' }, [1, 3, 8, 8]],
    ['another layout', 'data-invalid', { layout: 'NHWC' }, [1, 3, 8, 8]],
    ['crop too large', 'recipe-invalid', { resize: { mode: 'shorter-side', size: 6 }, crop: 8 }, [1, 3, 8, 8]],
    [
      'two sizes for the shorter side',
      'recipe-invalid',
      { resize: { mode: 'shorter-side', size: [8, 9] } },
      [1, 3, 8, 8],
    ],
    ['means of another number', 'recipe-invalid', { mean: [1, 2] }, [1, 3, 8, 8]],
    ['std of 0', 'recipe-invalid', { std: [1, 0, 1] }, [1, 3, 8, 8]],
  ];
  for (const [why, error, preprocess, shape, type] of wrong) {
    test(`refuses ${why}`, () => assert.throws(() => resolvePreprocess(preprocess, image(shape, type)), code(error)));
  }

  test('describes itself', () => {
    const resize = { mode: 'shorter-side', size: 256 } as const;
    const text = describePreprocess(resolvePreprocess({ preset: 'caffe', resize, crop: 224 }, image([1, 3, 224, 224])));
    assert.equal(text, 'shorter side 256, centre crop 224×224, BGR, (x − [104, 117, 123])');
  });
});

describe('guessPreprocess', () => {
  const guesses: [InputInfo, Preprocess['preset']][] = [
    [image(['N', 3, 224, 224]), 'imagenet'],
    [image([1, 3, 'H', 'W']), 'imagenet'],
    [image([1, 3, 32, 32]), 'unit'],
    [image([1, 3, 240, 320]), 'unit'],
    [image([1, 1, 28, 28]), 'unit'],
    [image([1, 224, 224, 3]), 'tf'],
    [image([1, 224, 224, 3], 'uint8'), undefined],
    [image([1, 11], 'int64'), undefined],
  ];
  for (const [input, preset] of guesses) {
    test(`${input.type} [${input.shape.join(', ')}] → ${preset ?? 'nothing'}, and it resolves`, () => {
      const { preprocess, why } = guessPreprocess(input);
      assert.equal(preprocess.preset, preset);
      assert.ok(why.includes('"x"'));
      if (input.shape.length === 4) resolvePreprocess(preprocess, input);
    });
  }
});
