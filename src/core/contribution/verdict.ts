/** What the errors measured make of a layer. Pure. */

import type { LayerVerdict, Verdict } from '../../shared/verdicts';

/** What is known of one layer; dB, `null` for no error at all, `undefined` for not measured. */
export interface Evidence {
  readonly layer: string;
  readonly only: number | null;
  readonly without: number | null;
  readonly local: number | null | undefined;
  /** At its output, in the int8 model. */
  readonly accumulated: number | null | undefined;
  /** Of what it reads, the worst input. */
  readonly incoming: number | null | undefined;
}

/** A layer makes much of the error with three times the share that would be its due, but not with less than this. */
const FAIR_SHARES = 3;
const LEAST_SHARE = 0.05;
/** dB by which the SQNR at a layer's output lies under what its inputs and its own error explain. */
const AMPLIFIED = 3;

/**
 * @param total dB of the int8 model at its outputs
 * @param threshold in dB: below it a layer's accumulated error counts as a problem
 */
export function judge(
  evidence: readonly Evidence[],
  total: number | null,
  threshold: number,
): Omit<LayerVerdict, 'split' | 'causes'>[] {
  const powers = evidence.map(({ only }) => powerOf(only));
  const sum = powers.reduce((a, b) => a + b, 0);
  const limit = Math.max(LEAST_SHARE, Math.min(0.5, FAIR_SHARES / Math.max(1, evidence.length)));
  return evidence.map((found, index) => {
    const share = sum === 0 ? 0 : powers[index]! / sum;
    const { layer, only, without, local } = found;
    const growth = typeof local === 'number' && only !== null ? local - only : null;
    const { verdict, why } = verdictOf(found, share, limit, total, threshold);
    return { layer, verdict, why, only, without, share: 100 * share, growth };
  });
}

function verdictOf(
  { only, without, local, accumulated, incoming }: Evidence,
  share: number,
  limit: number,
  total: number | null,
  threshold: number,
): { verdict: Verdict; why: string } {
  if (share >= limit) {
    const gain = without === null ? 'all of it' : `${decibels(without - (total ?? 0))} more`;
    const parts = `It makes ${percent(share)} of the error at the outputs (${decibels(only ?? 0)} alone)`;
    return { verdict: 'culprit', why: `${parts}; in float it would give back ${gain}.` };
  }
  const explained = -10 * Math.log10(powerOf(incoming ?? null) + powerOf(local ?? null));
  if (typeof accumulated === 'number' && typeof incoming === 'number' && explained - accumulated >= AMPLIFIED) {
    const by = decibels(explained - accumulated);
    return {
      verdict: 'amplifier',
      why: `It reads ${decibels(incoming)} and makes the error ${by} worse than its own.`,
    };
  }
  if (typeof local === 'number' && local < threshold && local < (incoming ?? Infinity)) {
    const why = `Alone it has only ${decibels(local)}, but that cancels downstream: it makes ${percent(share)} of the error at the outputs.`;
    return { verdict: 'harmless', why };
  }
  if (typeof accumulated === 'number' && accumulated < threshold) {
    const own = typeof local === 'number' ? `; alone it has ${decibels(local)}` : '';
    return { verdict: 'victim', why: `Its error of ${decibels(accumulated)} comes from the layers before it${own}.` };
  }
  return { verdict: 'harmless', why: `It makes ${percent(share)} of the error at the outputs.` };
}

function powerOf(sqnr: number | null): number {
  return sqnr === null ? 0 : 10 ** (-sqnr / 10);
}

function decibels(value: number): string {
  return `${value.toFixed(1)} dB`;
}

function percent(share: number): string {
  return `${(100 * share).toFixed(share < 0.1 ? 1 : 0)} %`;
}
