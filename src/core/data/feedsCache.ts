/** Samples that the passes of one run share, so that an image is decoded once: calibration, analysis and evaluation read the same. */

import { bytesPerElement } from '../tensor';
import type { Feeds, Item } from './types';

/** 400 images of 224×224 in float32. */
const MOST_BYTES = 2 ** 28;

export class FeedsCache {
  readonly #kept = new Map<string, Feeds>();
  #room: number;

  /** @param capBytes what is kept at most; what comes later is read in every pass */
  constructor(capBytes = MOST_BYTES) {
    this.#room = Math.min(capBytes, MOST_BYTES);
  }

  /**
   * The items, read from here where they were read before.
   * @param settings what else decides what is read from a file, such as the preprocessing
   */
  through(items: readonly Item[], settings: unknown): readonly Item[] {
    const prefix = JSON.stringify(settings);
    return items.map((item) => ({ ...item, read: () => this.#read(`${prefix} ${item.path ?? ''} ${item.id}`, item) }));
  }

  async #read(key: string, item: Item): Promise<Feeds> {
    const known = this.#kept.get(key);
    if (known !== undefined) return known;
    const feeds = await item.read();
    const bytes = bytesOf(feeds);
    if (bytes <= this.#room && !this.#kept.has(key)) {
      this.#room -= bytes;
      this.#kept.set(key, feeds);
    }
    return feeds;
  }
}

function bytesOf(feeds: Feeds): number {
  return Object.values(feeds).reduce((sum, { data, type }) => sum + data.length * bytesPerElement(type), 0);
}
