/**
 * The shadow as sessions. Opening one costs more than linearly in its nodes, so a large one is cut into parts that are
 * opened together and run one after the other: at 1,000 layers, parts of 50 to 100 open in a sixth of the time of one
 * session of all (bench/growth.ts).
 */

import { availableParallelism } from 'node:os';
import { openSession, type Feeds, type Session } from '../runtime/session';
import { MOST_THREADS } from '../runtime/threads';
import type { Tensor } from '../tensor';
import { buildShadow, type Shadow } from './shadow';
import type { Tap } from './taps';

/** Layers of a part. */
export const PART = 100;

type Source = Parameters<typeof buildShadow>;

interface Part {
  readonly shadow: Shadow;
  readonly session: Session;
}

/** Models of the quantized layers, {@link PART} in each; layers that cannot stand alone are in none. */
export function shadowsOf(...[graph, conversion, tensors, layers]: Source): Shadow[] {
  const starts = Array.from({ length: Math.ceil(layers.length / PART) }, (_, part) => part * PART);
  return starts.flatMap((start) => buildShadow(graph, conversion, tensors, layers.slice(start, start + PART)) ?? []);
}

export class ShadowParts {
  readonly #parts: readonly Part[];

  private constructor(parts: readonly Part[]) {
    this.#parts = parts;
  }

  /** @throws what opening a session throws */
  static async open(shadows: readonly Shadow[], threads = availableParallelism()): Promise<ShadowParts> {
    // Each session has threads of its own.
    const each = Math.max(1, Math.min(threads, Math.floor(MOST_THREADS / shadows.length)));
    const parts: Part[] = [];
    try {
      for (const shadow of shadows) parts.push({ shadow, session: await openSession(shadow.model, { threads: each }) });
    } catch (error) {
      await Promise.all(parts.map(({ session }) => session.close()));
      throw error;
    }
    return new ShadowParts(parts);
  }

  /** Runs part after part, so that the outputs of one are in memory at a time. */
  async run(
    tensorOf: (name: string) => Tensor,
    measure: (layer: string, taps: readonly Tap[], outputs: Feeds) => void,
  ): Promise<void> {
    for (const { shadow, session } of this.#parts) {
      const outputs = await session.run(Object.fromEntries(shadow.inputs.map((name) => [name, tensorOf(name)])));
      for (const [layer, taps] of shadow.taps) measure(layer, taps, outputs);
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.#parts.map(({ session }) => session.close()));
  }
}
