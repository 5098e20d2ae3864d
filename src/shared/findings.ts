/** What was found out about a run after it ended: files beside its report, each of which names its run. Pure. */

import type { Benchmark } from './benchmark';
import { changeKey } from './fixes';
import type { PricedFix, Prices } from './price';
import type { Report } from './report';
import type { Speed } from './slowness';
import type { Culprits } from './verdicts';

/** Every price that was measured of the fixes of one run: `prices.json`. */
export interface KeptPrices extends Prices {
  readonly version: 1;
  /** `created` of the report it belongs to. */
  readonly report: string;
}

/** Milliseconds of one inference of both models of a run, the median of several. */
export interface Timing extends Speed {
  readonly fp32: number;
  readonly int8: number;
}

/** Both models of one run timed against each other: `speed.json`. */
export interface SpeedCheck {
  readonly version: 1;
  /** `created` of the report it belongs to. */
  readonly report: string;
  /** On one thread, then on more. */
  readonly timings: readonly Timing[];
}

export interface Findings {
  readonly culprits: Culprits;
  readonly prices: KeptPrices;
  readonly speed: SpeedCheck;
}

export const FINDING_FILES = {
  culprits: 'culprits.json',
  prices: 'prices.json',
  speed: 'speed.json',
} as const satisfies Readonly<Record<keyof Findings, string>>;

/** What each file is a list of. */
const LISTS = { culprits: 'layers', prices: 'fixes', speed: 'timings' } as const;

/** `undefined` for what belongs to another run, is of another version, or is something else: it is found again. */
export function parseFinding<K extends keyof Findings>(
  kind: K,
  text: string,
  { created }: Pick<Report, 'created'>,
): Findings[K] | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const { version, report, [LISTS[kind]]: list } = value as Readonly<Record<string, unknown>>;
  // Written by this program, whose types guarantee the rest.
  return version === 1 && report === created && Array.isArray(list) ? (value as Findings[K]) : undefined;
}

/** @param benchmarks of the fp32 model and the int8 model, in this order */
export function speedCheck({ created }: Pick<Report, 'created'>, benchmarks: readonly Benchmark[]): SpeedCheck {
  const timings = benchmarks.flatMap(({ threads, entries: [fp32, int8] }) =>
    fp32 === undefined || int8 === undefined
      ? []
      : [
          {
            threads,
            ratio: int8.ratio,
            ...(int8.interval && { interval: int8.interval }),
            fp32: fp32.median,
            int8: int8.median,
          },
        ],
  );
  return { version: 1, report: created, timings };
}

/** The prices known of a run with those just measured, which replace older ones of the same change. */
export function mergePrices(
  { created }: Pick<Report, 'created'>,
  known: KeptPrices | undefined,
  measured: Prices,
): KeptPrices {
  const fresh = new Set(measured.fixes.map(({ fix }) => changeKey(fix.change)));
  const kept = known?.fixes.filter(({ fix }) => !fresh.has(changeKey(fix.change))) ?? [];
  return { version: 1, report: created, ...measured, fixes: [...measured.fixes, ...kept] };
}

/** What was measured of a change; `undefined` where it was not tried. */
export function priceOf(prices: Prices | undefined, key: string): PricedFix | undefined {
  return prices?.fixes.find(({ fix }) => changeKey(fix.change) === key);
}
