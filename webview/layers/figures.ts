/** The numbers of a run as a whole, with what they changed by. Pure. */

import { bytes, milliseconds, number3, percent, plural, sizeChange } from '../../src/shared/format';
import { speedVerdict, speedWords, untold, type Verdict } from '../../src/shared/speed';
import type { ReportFacts, RunFacts } from '../../src/shared/viewFacts';
import { changeDB, fromDecibels } from './text';
import { decibelsText } from '../../src/shared/measured';

export type Tone = 'better' | 'worse' | 'same';

export interface Change {
  readonly text: string;
  /** `same`: none, or so small that it may be chance. */
  readonly tone: Tone;
  readonly hint?: string;
}

export interface Figure {
  readonly label: string;
  /** fp32; `null` where there is only one value. */
  readonly before: string | null;
  readonly value: string;
  /** int8 against fp32. */
  readonly change: Change | null;
  /** Against the run it is compared with. */
  readonly since: Change | null;
  readonly hint: string;
}

/**
 * Standard error of a difference of two accuracies on the same samples, in percent. Only samples where the two models
 * differ count: (b + c − (b − c)²/n) / n² with b, c the samples that only one gets right (McNemar 1947). Of b + c the
 * report knows an upper bound, the samples whose class differs.
 * @param change and `agreement` in percent; without agreement the samples are taken as independent
 */
export function errorOfChange(fp32: number, int8: number, agreement: number | null, samples: number): number {
  const [p, q] = [fp32 / 100, int8 / 100];
  const variance = agreement === null ? p * (1 - p) + q * (1 - q) : 1 - agreement / 100 - (q - p) ** 2;
  return 100 * Math.sqrt(Math.max(0, variance) / samples);
}

/** Standard error of a share, in percent: √(p·(1−p)/n). */
export function errorOfShare(share: number, samples: number): number {
  const p = share / 100;
  return 100 * Math.sqrt(Math.max(0, p * (1 - p)) / samples);
}

function sign(value: number, text: string): string {
  return value > 0 ? `+${text}` : value < 0 ? `−${text}` : `±${text}`;
}

function points(value: number): string {
  return sign(Number(value.toFixed(2)), Math.abs(value).toFixed(Math.abs(value) >= 9.995 ? 1 : 2));
}

function toneOf(change: number, noise: number): Tone {
  return Math.abs(change) <= noise || change === 0 ? 'same' : change > 0 ? 'better' : 'worse';
}

/** Two standard errors: what chance alone does in one case of twenty. */
const NOISE = 2;

type AccuracyKey = 'top1' | 'top5';
const ACCURACIES = [
  ['top1', 'Top-1'],
  ['top5', 'Top-5'],
] as const satisfies readonly (readonly [AccuracyKey, string])[];

/** No figure, and how to get one. */
function maybeClasses({ maybeClasses: outputs }: RunFacts): Figure[] {
  if (outputs.length === 0) return [];
  const names = outputs.map((name) => `"${name}"`).join(' or ');
  return [
    {
      ...{ label: 'Same class', before: null, value: '–', since: null },
      change: { text: 'needs labels or a task', tone: 'same' },
      hint: `If ${names} holds the scores of classes, give labels, or set task: classify in the recipe.`,
    },
  ];
}

function accuracyFigures(run: RunFacts, base: RunFacts | null): Figure[] {
  const { accuracy } = run;
  if (accuracy === null) return maybeClasses(run);
  const { samples, agreement } = accuracy;
  const figures = ACCURACIES.flatMap(([key, label]): Figure[] => {
    const values = accuracy[key];
    if (values === null) return [];
    const { fp32, int8 } = values;
    const change = int8 - fp32;
    const error = errorOfChange(fp32, int8, key === 'top1' ? agreement : null, samples);
    const tone = toneOf(change, NOISE * error);
    const then = base?.accuracy?.[key]?.int8;
    return [
      {
        label,
        before: number3(fp32),
        value: percent(int8),
        change: {
          text: `${points(change)} (±${error.toFixed(1)})`,
          tone,
          hint: `Points of accuracy and their standard error, from ${plural(samples, 'sample')}. ${
            tone === 'same' ? 'So small a change may be chance.' : 'More than chance would do.'
          }`,
        },
        since: then === undefined ? null : { text: points(int8 - then), tone: toneOf(int8 - then, error) },
        hint: `Share of ${samples} labelled samples that the model gets right, in fp32 and in int8.`,
      },
    ];
  });
  if (figures.length > 0 || agreement === null) return figures.slice(0, 1);
  const error = errorOfShare(agreement, samples);
  const then = base?.accuracy?.agreement ?? null;
  return [
    {
      label: 'Same class',
      before: null,
      value: percent(agreement),
      change: { text: `±${error.toFixed(1)}`, tone: 'same', hint: 'Its standard error.' },
      since: then === null ? null : { text: points(agreement - then), tone: toneOf(agreement - then, error) },
      hint: `Share of ${samples} samples for which the int8 model chooses the class of the fp32 model.`,
    },
  ];
}

/** `160 → 70.4 kB`: the unit once where it is the same. */
function pair(before: string, after: string): readonly [before: string, after: string] {
  const [, unit] = before.split(' ');
  return unit !== undefined && after.endsWith(` ${unit}`)
    ? [before.slice(0, -unit.length - 1), after]
    : [before, after];
}

function sizeFigure({ bytes: size }: RunFacts, base: RunFacts | null): Figure {
  const hint = 'Size of the model file, with its external data.';
  if (size.int8 === null) {
    return { label: 'Size', before: null, value: bytes(size.fp32), change: null, since: null, hint };
  }
  const [before, value] = pair(bytes(size.fp32), bytes(size.int8));
  const then = base?.bytes.int8;
  const grown = then === undefined || then === null ? null : size.int8 - then;
  return {
    label: 'Size',
    before,
    value,
    change: { text: sizeChange(size.fp32, size.int8), tone: size.int8 < size.fp32 ? 'better' : 'worse' },
    since:
      grown === null
        ? null
        : { text: sign(grown, bytes(Math.abs(grown))), tone: grown === 0 ? 'same' : grown < 0 ? 'better' : 'worse' },
    hint,
  };
}

export const SPEED_TONES: Readonly<Record<Verdict, Tone>> = { faster: 'better', slower: 'worse', same: 'same' };
/** Two runs were not: by so many percent their ratios differ where nothing has changed (bench/prices.mjs, 2026-11-26). */
const NOISE_BETWEEN_RUNS = 15;

function latencyFigure({ latency }: RunFacts, base: RunFacts | null): Figure {
  const label = latency === null ? 'Latency' : `Latency (${plural(latency.threads, 'thread')})`;
  const hint =
    'Median time of one inference. Times above 1 mean that int8 is faster. Two runs are compared by the share of the fp32 time that int8 takes.';
  if (latency === null) {
    return {
      label,
      before: null,
      value: '–',
      change: { text: 'Benchmark measures it', tone: 'same' },
      since: null,
      hint,
    };
  }
  const verdict = speedVerdict(latency);
  const [before, value] = pair(milliseconds(latency.fp32), milliseconds(latency.int8));
  // Milliseconds of two runs would tell how busy the machine was.
  const then = base?.latency?.ratio;
  const change = then === undefined ? null : Math.round(100 * (then / latency.ratio - 1));
  return {
    label,
    before,
    value,
    change: {
      text: speedWords(latency),
      tone: SPEED_TONES[verdict],
      ...(verdict === 'same' ? { hint: `The two models ${untold(latency)}.` } : {}),
    },
    since:
      change === null
        ? null
        : {
            text: sign(change, `${Math.abs(change)} %`),
            tone: toneOf(-change, NOISE_BETWEEN_RUNS),
          },
    hint,
  };
}

function outputFigure({ output }: RunFacts, base: RunFacts | null): Figure[] {
  if (output === null) return [];
  const value = fromDecibels(output.sqnr);
  const then = base?.output?.name === output.name ? fromDecibels(base.output.sqnr) : NaN;
  const change = value === then ? 0 : value - then;
  return [
    {
      label: 'Output SQNR',
      before: null,
      value: decibelsText(output.sqnr),
      change: null,
      since: Number.isNaN(change) ? null : { text: changeDB(change), tone: toneOf(change, 0.05) },
      hint: `Error of the model at its output "${output.name}", the worst of its outputs.${partsOf(output)}`,
    },
  ];
}

function partsOf({ parts }: NonNullable<RunFacts['output']>): string {
  if (parts.length === 0) return '';
  const each = parts.map(({ name, sqnr }) => `${name} ${decibelsText(sqnr)}`);
  return ` Parts of unlike quantities are measured apart: ${each.join(', ')}.`;
}

export function figures({ run, base }: Pick<ReportFacts, 'run' | 'base'>): Figure[] {
  return [...accuracyFigures(run, base), ...outputFigure(run, base), sizeFigure(run, base), latencyFigure(run, base)];
}
