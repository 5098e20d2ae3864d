/** The recipes that were tried as points of a plane: what the axes may be, and which points nobody beats. Pure. */

import { bytes, decibels, percent, times } from '../../src/shared/format';
import type { TuneGoal, TunePoint, Tuning } from '../../src/shared/tuning';

export interface Measure {
  readonly key: MeasureKey;
  /** For an axis and a list of choices. */
  readonly label: string;
  /** In the head of a column. */
  readonly short: string;
  readonly better: 'more' | 'less';
  /** `null` where it was not measured. */
  readonly value: (point: TunePoint) => number | null;
  readonly text: (value: number) => string;
  /** The value that the goal allows, if it is about this. */
  readonly limit: (goal: TuneGoal, tuning: Pick<Tuning, 'top1Fp32'>) => number | undefined;
}

export type MeasureKey = 'sqnr' | 'top1' | 'agreement' | 'time' | 'bytes' | 'macs';

const none = (): undefined => undefined;

/** What a change brings. */
export const QUALITIES: readonly Measure[] = [
  {
    ...{ key: 'top1', label: 'Top-1 accuracy', short: 'Top-1', better: 'more' },
    ...{ value: ({ top1 }) => top1, text: percent },
    limit: ({ maxDrop }, { top1Fp32 }) => (maxDrop === undefined || top1Fp32 === null ? undefined : top1Fp32 - maxDrop),
  },
  {
    ...{ key: 'agreement', label: 'Same class as fp32', short: 'Same class', better: 'more' },
    ...{ value: ({ agreement }) => agreement, text: percent },
    limit: ({ maxDrop }, { top1Fp32 }) => (maxDrop === undefined || top1Fp32 !== null ? undefined : 100 - maxDrop),
  },
  {
    ...{ key: 'sqnr', label: 'SQNR of the worst output', short: 'SQNR', better: 'more' },
    ...{ value: ({ sqnr }) => sqnr, text: decibels },
    limit: ({ minSqnr }) => minSqnr,
  },
];

/** What it costs. */
export const COSTS: readonly Measure[] = [
  {
    ...{ key: 'time', label: 'Time, of that of fp32', short: 'Time', better: 'less' },
    ...{ value: ({ latencyRatio }) => latencyRatio, text: (value) => times(value) },
    limit: ({ maxLatencyRatio }) => maxLatencyRatio,
  },
  {
    ...{ key: 'bytes', label: 'Size of the model', short: 'Size', better: 'less' },
    ...{ value: (point) => point.bytes, text: bytes, limit: none },
  },
  {
    ...{ key: 'macs', label: 'Multiply-adds in int8', short: 'In int8', better: 'more' },
    ...{ value: ({ macs }) => macs, text: percent, limit: none },
  },
];

/** Those that at least one point has. */
export function measured(measures: readonly Measure[], { points }: Pick<Tuning, 'points'>): readonly Measure[] {
  return measures.filter(({ value }) => points.some((point) => value(point) !== null));
}

/** What the goal is about comes first. */
export function preferred(measures: readonly Measure[], tuning: Tuning): Measure | undefined {
  const found = measured(measures, tuning);
  return found.find(({ limit }) => limit(tuning.goal, tuning) !== undefined) ?? found[0];
}

export interface Placed {
  readonly index: number;
  readonly x: number;
  readonly y: number;
}

/** The points that have both measures, in the order in which they were tried. */
export function placed(points: readonly TunePoint[], x: Measure, y: Measure): readonly Placed[] {
  return points.flatMap((point, index) => {
    const [at, up] = [x.value(point), y.value(point)];
    return at === null || up === null ? [] : [{ index, x: at, y: up }];
  });
}

/**
 * Those that no other beats in both measures (the Pareto front), the cheapest first. Of equal ones, the first that
 * was tried.
 */
export function front(points: readonly Placed[], x: Measure, y: Measure): readonly Placed[] {
  const [cost, gain] = [x.better === 'less' ? 1 : -1, y.better === 'more' ? 1 : -1];
  const sorted = points.toSorted((a, b) => cost * (a.x - b.x) || gain * (b.y - a.y) || a.index - b.index);
  const kept: Placed[] = [];
  for (const point of sorted) {
    const last = kept.at(-1);
    if (last === undefined || gain * (point.y - last.y) > 0) kept.push(point);
  }
  return kept;
}
