/** The goals that a tune may have, each with an explanation and a first value that suits the model. Pure. */

import { number3 } from '../../shared/format';
import { measuredText } from '../../shared/measured';
import { worstOutput } from '../../shared/outputs';
import type { Recipe } from '../../shared/recipe';
import type { Report } from '../../shared/report';
import type { TuneGoal } from '../../shared/tuning';

export interface GoalChoice {
  readonly key: keyof TuneGoal;
  readonly label: string;
  /** What it means, and where the last run stands. */
  readonly detail: string;
  readonly unit: string;
  readonly value: number;
  /** Smaller is refused. */
  readonly least: number;
  /** Chosen unless the person chooses otherwise. */
  readonly picked: boolean;
}

/** Rules of thumb where the recipe has no gate that says better. */
const DROP = 1;
const RATIO = 0.6;

/** @param threshold dB below which a layer is a problem, by the setting */
export function goalChoices(recipe: Recipe, report: Report | undefined, threshold: number): readonly GoalChoice[] {
  const { gates = {}, validate } = recipe;
  const accuracy = report?.accuracy ?? null;
  const labelled = validate?.labels !== undefined;
  const classifies = labelled || (accuracy !== null && accuracy.agreement !== null);
  const gated = {
    maxDrop: gates['max-accuracy-drop'],
    minSqnr: gates['min-output-sqnr'],
    maxLatencyRatio: gates['max-latency-ratio'],
  };
  const anyGate = Object.values(gated).some((gate) => gate !== undefined);
  const picked = (key: keyof TuneGoal, otherwise: boolean): boolean => (anyGate ? gated[key] !== undefined : otherwise);
  return [
    {
      ...{ key: 'maxDrop', label: 'Largest accuracy drop', unit: labelled ? 'points of top-1' : 'points' },
      detail: `${labelled ? 'Points of top-1 that may be lost against fp32.' : 'Percent of the samples whose class may differ from that of fp32.'}${dropNow(accuracy)}`,
      ...{ value: gated.maxDrop ?? DROP, least: 0, picked: picked('maxDrop', classifies) },
    },
    {
      ...{ key: 'minSqnr', label: 'Least SQNR of the outputs', unit: 'dB' },
      detail: `How far the outputs may be from those of fp32; needs no labels.${sqnrNow(report)}`,
      ...{ value: gated.minSqnr ?? threshold, least: 0, picked: picked('minSqnr', !classifies) },
    },
    {
      ...{ key: 'maxLatencyRatio', label: 'Largest latency ratio', unit: '× the time of fp32' },
      detail: `Time of int8 ÷ time of fp32, on one thread of this machine.${ratioNow(report)}`,
      ...{ value: gated.maxLatencyRatio ?? RATIO, least: 0.01, picked: picked('maxLatencyRatio', false) },
    },
  ];
}

function dropNow(accuracy: Report['accuracy']): string {
  if (accuracy === null) return '';
  const { top1, agreement } = accuracy;
  if (top1 !== null) return ` Last run: ${number3(top1.fp32 - top1.int8)}.`;
  return agreement === null ? '' : ` Last run: ${number3(100 - agreement)}.`;
}

function sqnrNow(report: Report | undefined): string {
  const worst = report === undefined ? undefined : worstOutput(report);
  return worst === undefined ? '' : ` Last run: ${measuredText(worst.error)}.`;
}

function ratioNow(report: Report | undefined): string {
  const latency = report?.latency ?? null;
  return latency === null ? '' : ` Last run: ${number3(1 / latency.ratio)}.`;
}

/** What is wrong with a value that was typed; `undefined` where it is a value. */
export function valueProblem(text: string, { least }: Pick<GoalChoice, 'least'>): string | undefined {
  const value = toNumber(text);
  if (!Number.isFinite(value)) return 'A number is needed.';
  return value < least ? `At least ${least}.` : undefined;
}

/** Also with a decimal comma, as many people type it. */
export function toNumber(text: string): number {
  return text.trim() === '' ? NaN : Number(text.trim().replace(',', '.'));
}
