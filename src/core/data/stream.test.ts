import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { QuantscopeError } from '../../shared/errors';
import { readItems } from './stream';
import type { Item, Skipped } from './types';

type Fate = 'fine' | 'damaged';

/** Items of given fates and delays that keep count of how many are read or waiting to be taken. */
function tracked(plan: readonly { fate: Fate; delay: number }[]): {
  items: Item[];
  taken: () => number;
  most: () => number;
} {
  let open = 0;
  let most = 0;
  const items = plan.map(({ fate, delay }, i): Item => {
    const read = async (): Promise<Record<string, never>> => {
      most = Math.max(most, ++open);
      await sleep(delay);
      if (fate === 'fine') return {};
      open--;
      throw new Error(`damaged ${i}`);
    };
    return { id: String(i), files: [], read };
  });
  return { items, taken: () => open--, most: () => most };
}

test('keeps the order, names every failure, and reads at most six at once', async () => {
  const plan = fc.array(fc.record({ fate: fc.constantFrom<Fate[]>('fine', 'fine', 'damaged'), delay: fc.nat(2) }), {
    maxLength: 12,
  });
  await fc.assert(
    fc.asyncProperty(plan, async (fates) => {
      const { items, taken, most } = tracked(fates);
      const skipped: Skipped[] = [];
      const ids: string[] = [];
      for await (const sample of readItems(items, (item) => skipped.push(item))) {
        ids.push(sample.id);
        taken();
      }
      const of = (fate: Fate): string[] => fates.flatMap((item, i) => (item.fate === fate ? [String(i)] : []));
      assert.deepEqual(ids, of('fine'));
      assert.deepEqual(
        skipped,
        of('damaged').map((item) => ({ item, reason: `damaged ${item}` })),
      );
      assert.ok(most() <= 6, `${most()} at once`);
    }),
    { numRuns: 30 },
  );
});

test('a sample that does not fit stops the stream in its turn', async () => {
  const { items } = tracked([{ fate: 'fine', delay: 3 }]);
  const misfit: Item = {
    id: 'misfit',
    files: [],
    read: () => Promise.reject(new QuantscopeError('data-invalid', 'wrong shape')),
  };
  const ids: string[] = [];
  const run = async (): Promise<void> => {
    for await (const { id } of readItems([...items, misfit, misfit], () => assert.fail('nothing is skipped')))
      ids.push(id);
  };
  await assert.rejects(run(), /wrong shape/);
  assert.deepEqual(ids, ['0']);
});
