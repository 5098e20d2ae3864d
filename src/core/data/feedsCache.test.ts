import assert from 'node:assert/strict';
import { test } from 'node:test';
import { makeTensor } from '../tensor';
import { FeedsCache } from './feedsCache';
import type { Item } from './types';

/** Items of 4 bytes, and the ids that were read. */
function counted(...ids: readonly string[]): { items: Item[]; reads: string[] } {
  const reads: string[] = [];
  const items = ids.map((id): Item => {
    const read = (): ReturnType<Item['read']> => {
      reads.push(id);
      return Promise.resolve({ x: makeTensor('float32', [1], Float32Array.of(reads.length)) });
    };
    return { id, path: `/data/${id}`, files: [], read };
  });
  return { items, reads };
}

async function pass(items: readonly Item[]): Promise<(number | bigint | undefined)[]> {
  const values = [];
  for (const item of items) values.push((await item.read())['x']?.data[0]);
  return values;
}

test('each item is read once in however many passes, of whatever data set it is part', async () => {
  const cache = new FeedsCache();
  const { items, reads } = counted('a', 'b', 'c');
  const all = await pass(cache.through(items, { size: 1 }));
  assert.deepEqual(await pass(cache.through(items.slice(1), { size: 1 })), all.slice(1));
  assert.deepEqual(reads, ['a', 'b', 'c']);
});

test('what is read otherwise, or from another file of the same name, is another sample', async () => {
  const cache = new FeedsCache();
  const { items, reads } = counted('a');
  const elsewhere = items.map((item) => ({ ...item, path: '/other/a' }));
  await pass(cache.through(items, { size: 1 }));
  await pass(cache.through(items, { size: 2 }));
  await pass(cache.through(elsewhere, { size: 1 }));
  assert.deepEqual(reads, ['a', 'a', 'a']);
});

test('what finds no room is read again in each pass, what failed too', async () => {
  const cache = new FeedsCache(9);
  const { items, reads } = counted('a', 'b', 'c');
  for (let i = 0; i < 3; i++) await pass(cache.through(items, {}));
  assert.deepEqual(reads, ['a', 'b', 'c', 'c', 'c']);
  let failures = 0;
  const broken: Item = { id: 'd', files: [], read: () => Promise.reject(new Error(`${(failures += 1)}`)) };
  for (let i = 1; i <= 2; i++) {
    await assert.rejects(cache.through([broken], {})[0]!.read(), { message: `${i}` });
  }
});
