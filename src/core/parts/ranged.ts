/**
 * Channels of one output that hold quantities of unlike range, such as pixels beside probabilities. Pure.
 *
 * The rule: the reach of a channel is the largest magnitude that fp32 has there; a channel within 0…1 holds fractions
 * and counts as 1. Sorted by reach, the channels fall apart where one reaches {@link UNLIKE} times as far as the next.
 * That is believed where the groups are at most {@link MOST_RUNS} runs of neighbours: a channel here and there that is
 * hardly used is no other quantity.
 */

/** One scale for both would leave the smaller fewer than 8 of 256 steps. */
export const UNLIKE = 32;
export const MOST_RUNS = 4;

export interface RangedParts {
  readonly axis: number;
  /** For each channel its group, numbered from the first channel on. */
  readonly groups: Uint16Array;
}

/** @param samples the values of fp32, each of these dimensions @returns for the first axis behind the batch that falls apart */
export function rangedParts(dims: readonly number[], samples: readonly Float32Array[]): RangedParts | undefined {
  for (let axis = 1; axis < dims.length; axis++) {
    const groups = groupsOf(reaches(dims, axis, samples));
    if (groups !== undefined) return { axis, groups };
  }
  return undefined;
}

/** Of every channel along an axis. */
function reaches(dims: readonly number[], axis: number, samples: readonly Float32Array[]): Float64Array {
  const channels = dims[axis]!;
  const inner = dims.slice(axis + 1).reduce((n, d) => n * d, 1);
  const low = new Float64Array(channels);
  const high = new Float64Array(channels);
  for (const values of samples) {
    for (let start = 0, channel = 0; start < values.length; start += inner, channel = (channel + 1) % channels) {
      for (let i = start; i < start + inner; i++) {
        const value = values[i]!;
        if (value > high[channel]! && value !== Infinity) high[channel] = value;
        else if (value < low[channel]! && value !== -Infinity) low[channel] = value;
      }
    }
  }
  return high.map((top, channel) => {
    const reach = Math.max(top, -low[channel]!);
    return reach > 0 && low[channel]! >= 0 && top <= 1 ? 1 : reach;
  });
}

/** `undefined` where all channels are alike. Channels of zeros tell nothing, and go with the one before them. */
export function groupsOf(reach: Float64Array): Uint16Array | undefined {
  const sorted = reach.filter((value) => value > 0).sort();
  const limits = [...sorted].filter((value, i) => i > 0 && value >= UNLIKE * sorted[i - 1]!);
  if (limits.length === 0) return undefined;
  const levels: number[] = [];
  for (const value of reach) {
    levels.push(value > 0 ? limits.filter((limit) => value >= limit).length : (levels.at(-1) ?? -1));
  }
  const first = levels.find((level) => level >= 0)!;
  const filled = levels.map((level) => (level < 0 ? first : level));
  const runs = filled.filter((level, i) => i === 0 || level !== filled[i - 1]).length;
  if (runs > MOST_RUNS) return undefined;
  const order = [...new Set(filled)];
  return Uint16Array.from(filled, (level) => order.indexOf(level));
}
