/** The gates of a recipe, held against a report: what makes a run in CI fail. */

import type { Report } from './report';

export interface GateResult {
  readonly gate: 'max-accuracy-drop' | 'min-output-sqnr';
  readonly limit: number;
  /** `null` where the run did not measure it, which fails the gate, or where there is no error at all. */
  readonly measured: number | null;
  readonly passed: boolean;
  /** One sentence for people. */
  readonly message: string;
}

/** One result for every gate of the recipe, in the order of the schema. */
export function checkGates(report: Report): GateResult[] {
  const gates = report.recipe.gates ?? {};
  const drop = gates['max-accuracy-drop'];
  const sqnr = gates['min-output-sqnr'];
  return [
    ...(drop === undefined ? [] : [accuracyGate(drop, report)]),
    ...(sqnr === undefined ? [] : [outputGate(sqnr, report)]),
  ];
}

/** Points of top-1 are a difference of percentages with rounding noise of about 1e-14. */
const NOISE = 1e-9;

function accuracyGate(limit: number, report: Report): GateResult {
  const gate = 'max-accuracy-drop';
  const top1 = report.accuracy?.top1 ?? null;
  if (top1 === null) {
    const message = 'Top-1 accuracy was not measured; the gate needs `validate` with `data` and `labels`.';
    return { gate, limit, measured: null, passed: false, message };
  }
  const measured = top1.fp32 - top1.int8;
  const passed = measured <= limit + NOISE;
  const message = `Top-1 drops by ${measured.toFixed(2)} points; the gate allows ${limit}.`;
  return { gate, limit, measured, passed, message };
}

function outputGate(limit: number, report: Report): GateResult {
  const gate = 'min-output-sqnr';
  if (report.outputs.length === 0) {
    return { gate, limit, measured: null, passed: false, message: 'No output of the model was compared.' };
  }
  const exact = { name: '', sqnr: Infinity };
  const worst = report.outputs
    .map(({ name, error }) => ({ name, sqnr: error.sqnr ?? Infinity }))
    .reduce((a, b) => (b.sqnr < a.sqnr ? b : a), exact);
  if (worst.sqnr === Infinity) {
    return { gate, limit, measured: null, passed: true, message: 'No output has any error.' };
  }
  const message = `Output "${worst.name}" has ${worst.sqnr.toFixed(1)} dB; the gate asks for ${limit} dB.`;
  return { gate, limit, measured: worst.sqnr, passed: worst.sqnr >= limit, message };
}
