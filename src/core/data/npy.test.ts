import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import * as path from 'node:path';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { halfToFloat } from '../tensor';
import { openNpy } from './arrays';
import { readNpy } from './npy';
import { readNpz } from './npz';

const FIXTURES = path.resolve(__dirname, '../../../test/fixtures/data');
const fixture = (name: string): Buffer => readFileSync(path.join(FIXTURES, name));

interface Listed {
  readonly file: string;
  readonly shape: number[];
  readonly values: (string | number)[];
}
const listing = JSON.parse(fixture('npy/listing.json').toString()) as Listed[];

const plain = (tensor: ReturnType<typeof readNpy>): (string | number)[] => {
  const values = Array.from<number | bigint>(tensor.data);
  if (tensor.type === 'float16') return values.map((bits) => halfToFloat(Number(bits)));
  if (tensor.type === 'bool' || tensor.type.startsWith('float')) return values.map(Number);
  return values.map(String);
};

describe('readNpy', () => {
  test('all fixtures are there', () => assert.ok(listing.length > 40));

  for (const { file, shape, values } of listing) {
    test(`reads ${file} as NumPy does`, () => {
      const tensor = readNpy(fixture(`npy/${file}`));
      assert.deepEqual(tensor.dims, shape);
      assert.deepEqual(plain(tensor), values);
    });
  }

  const refused: [file: string, message: RegExp][] = [
    ['object.npy', /Object arrays are refused/],
    ['structured.npy', /Structured arrays/],
    ['complex.npy', /type "<c8" is not supported/],
    ['text.npy', /type "<U2" is not supported/],
    ['cut_values.npy', /needs 48 bytes, the file has 45/],
    ['cut_header.npy', /cut off/],
    ['huge.npy', /needs 324000000000000000000 bytes, the file has 0/],
    ['long_header.npy', /too long/],
    ['bomb.npz', /not a NumPy array/],
  ];
  for (const [file, message] of refused) {
    test(`refuses ${file}`, () => assert.throws(() => readNpy(fixture(`hostile/${file}`)), message));
  }

  test('damage throws plain errors and never allocates beyond the file', () => {
    const whole = fixture('npy/f4_C_le.npy');
    fc.assert(
      fc.property(fc.nat(whole.length - 1), fc.nat(255), fc.nat(whole.length), (at, byte, length) => {
        const damaged = Buffer.from(whole);
        damaged[at] = byte;
        try {
          const tensor = readNpy(damaged.subarray(0, length));
          assert.ok(tensor.data.byteLength <= length);
        } catch (error) {
          assert.ok(
            error instanceof Error && !(error instanceof TypeError) && !(error instanceof RangeError),
            String(error),
          );
        }
      }),
    );
  });
});

describe('openNpy', () => {
  for (const file of ['i8_C_be.npy', 'i8_F_le.npy', 'u1_C_le.npy']) {
    test(`rows of ${file} are those of the whole`, async () => {
      const whole = readNpy(fixture(`npy/${file}`));
      const array = await openNpy(path.join(FIXTURES, 'npy', file));
      const rows = await Promise.all([array.rows(0, 1), array.rows(1, 1)]);
      assert.deepEqual(rows.flatMap(plain), plain(whole));
      assert.deepEqual(
        rows.map((row) => row.dims),
        [
          [1, 3, 2],
          [1, 3, 2],
        ],
      );
    });
  }
});

describe('readNpz', () => {
  test('reads stored and deflated arrays by name', () => {
    const named = readNpz(fixture('npz/named.npz'));
    assert.deepEqual(
      [...named].map(([name, { type, dims }]) => [name, type, dims]),
      [
        ['ids', 'int64', [4, 2]],
        ['mask', 'float64', [4, 2]],
        ['rate', 'int64', []],
      ],
    );
    assert.deepEqual(plain(readNpz(fixture('npz/one.npz')).get('anything')!), [0, 1, 2, 3, 4, 5]);
  });

  test('refuses an archive that claims to unpack to gigabytes', () => {
    assert.throws(() => readNpz(fixture('hostile/bomb.npz')), /not believable/);
  });

  test('refuses damaged archives', () => {
    const whole = fixture('npz/one.npz');
    for (const length of [0, 10, 100, whole.length - 1]) assert.throws(() => readNpz(whole.subarray(0, length)), Error);
  });
});
