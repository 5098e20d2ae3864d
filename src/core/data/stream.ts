/** Reads items in order, a few ahead, and passes over those that cannot be read. */

import { QuantscopeError, throwIfCancelled } from '../../shared/errors';
import type { Item, Sample, Skipped } from './types';

/**
 * Reading and decoding an image takes about seven turns of the event loop, and the runs of the model, which block
 * it, let two pass for each sample: with three ahead it waited for images. Each costs one decoded sample of memory.
 */
const READ_AHEAD = 6;

type Outcome = { readonly sample: Sample } | { readonly skipped: Skipped } | { readonly failure: unknown };

/** Never rejects, because a promise read ahead may be left behind when the consumer stops. */
async function attempt(item: Item): Promise<Outcome> {
  try {
    const feeds = await item.read();
    return { sample: { id: item.id, ...(item.path === undefined ? {} : { path: item.path }), feeds } };
  } catch (error) {
    // A sample that does not fit the model is a mistake in the recipe; one that cannot be read is bad luck.
    if (error instanceof QuantscopeError && error.code === 'data-invalid') return { failure: error };
    return { skipped: { item: item.id, reason: error instanceof Error ? error.message : String(error) } };
  }
}

/**
 * Streams samples in order with at most {@link READ_AHEAD} items being read.
 * @param onSkip is told of each item passed over, in order
 * @throws `data-invalid`, `cancelled`
 */
export async function* readItems(
  items: readonly Item[],
  onSkip: (skipped: Skipped) => void,
  signal?: AbortSignal,
): AsyncGenerator<Sample, void, undefined> {
  const ahead: Promise<Outcome>[] = [];
  let next = 0;
  try {
    while (next < items.length || ahead.length > 0) {
      throwIfCancelled(signal);
      while (next < items.length && ahead.length < READ_AHEAD) ahead.push(attempt(items[next++]!));
      const outcome = await ahead.shift()!;
      throwIfCancelled(signal);
      if ('failure' in outcome) throw outcome.failure;
      if ('skipped' in outcome) onSkip(outcome.skipped);
      else yield outcome.sample;
    }
  } finally {
    await Promise.all(ahead);
  }
}
