/** The gates of a recipe, held against a report: what makes a run in CI fail. */

import { bytes, milliseconds, number3, plural, quotient } from './format';
import { isIncomparable, outputWarnings, sqnrOf } from './measured';
import { outputName, worstOutput } from './outputs';
import type { Gates } from './recipe';
import type { Report } from './report';

export type GateId = keyof Gates;

export interface GateResult {
  readonly gate: GateId;
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
  const held = <L>(gate: GateId, limit: L | undefined, judge: (limit: L, report: Report) => Outcome): GateResult[] =>
    limit === undefined ? [] : [{ gate, ...judge(limit, report) }];
  return [
    ...held('max-accuracy-drop', gates['max-accuracy-drop'], accuracy),
    ...held('min-output-sqnr', gates['min-output-sqnr'], output),
    ...held('max-layers-below', gates['max-layers-below'], layersBelow),
    ...held('max-fallbacks', gates['max-fallbacks'], fallbacks),
    ...held('max-size-ratio', gates['max-size-ratio'], size),
    ...held('max-latency-ratio', gates['max-latency-ratio'], latency),
  ];
}

type Outcome = Omit<GateResult, 'gate'>;

/** Points of top-1 are a difference of percentages with rounding noise of about 1e-14. */
const NOISE = 1e-9;
const NAMED = 3;

function unmeasured(limit: number, message: string): Outcome {
  return { limit, measured: null, passed: false, message };
}

function accuracy(limit: number, report: Report): Outcome {
  const top1 = report.accuracy?.top1 ?? null;
  if (top1 === null) {
    return unmeasured(limit, 'Top-1 accuracy was not measured; the gate needs `validate` with `data` and `labels`.');
  }
  const measured = top1.fp32 - top1.int8;
  const message = `Top-1 drops by ${measured.toFixed(2)} points; the gate allows ${limit}.`;
  return { limit, measured, passed: measured <= limit + NOISE, message };
}

function output(limit: number, report: Report): Outcome {
  if (report.outputs.length === 0) return unmeasured(limit, 'No output of the model was compared.');
  const silent = report.outputs.find(({ error }) => isIncomparable(error));
  if (silent !== undefined) return unmeasured(limit, outputWarnings([silent]).join(' '));
  const missing = report.unmatched.find(({ tensor }) => report.model.outputs.some(({ name }) => name === tensor));
  if (missing !== undefined) return unmeasured(limit, `Output "${missing.tensor}" was not compared: ${missing.why}.`);
  const worst = worstOutput(report);
  const sqnr = sqnrOf(worst?.error) ?? Infinity;
  if (worst === undefined || sqnr === Infinity) {
    return { limit, measured: null, passed: true, message: 'No output has any error.' };
  }
  const message = `Output "${outputName(worst)}" has ${sqnr.toFixed(1)} dB; the gate asks for ${limit} dB.`;
  return { limit, measured: sqnr, passed: sqnr >= limit, message };
}

function layersBelow({ sqnr, layers: limit = 0 }: NonNullable<Gates['max-layers-below']>, report: Report): Outcome {
  const compared = report.layers.flatMap(({ name, local }) => {
    const own = sqnrOf(local);
    return own === undefined ? [] : [{ name, sqnr: own }];
  });
  const silent = report.layers.filter(({ local }) => isIncomparable(local)).length;
  if (compared.length === 0)
    return unmeasured(
      limit,
      silent === 0 ? 'No layer was compared with fp32.' : 'Nothing could be compared in any layer: no finite value.',
    );
  const below = compared.filter((layer) => layer.sqnr < sqnr).toSorted((a, b) => a.sqnr - b.sqnr);
  const names = below.map((layer) => `${layer.name} ${layer.sqnr.toFixed(1)} dB`);
  const message = `${plural(below.length, 'layer')} below ${sqnr} dB${listed(names)}${silent === 0 ? '' : `, ${silent} not comparable`}; the gate allows ${limit}.`;
  return { limit, measured: below.length, passed: below.length <= limit, message };
}

function fallbacks(limit: number, report: Report): Outcome {
  const fallen = report.layers.filter(({ status }) => status === 'fallback');
  const names = fallen.map(({ name, reason }) => (reason === null ? name : `${name}: ${reason}`));
  const message = `${plural(fallen.length, 'layer')} fell back to float${listed(names)}; the gate allows ${limit}.`;
  return { limit, measured: fallen.length, passed: fallen.length <= limit, message };
}

function size(limit: number, { model, quantized }: Report): Outcome {
  if (quantized === null) return unmeasured(limit, 'The run wrote no int8 model.');
  const measured = quantized.bytes / model.bytes;
  const sizes = `${bytes(model.bytes)} become ${bytes(quantized.bytes)}`;
  const message = `${sizes}, ${number3(quotient(quantized.bytes, model.bytes))} of the size; the gate allows ${limit}.`;
  return { limit, measured, passed: measured <= limit, message };
}

function latency(limit: number, report: Report): Outcome {
  if (report.latency === undefined || report.latency === null) {
    return unmeasured(
      limit,
      'The latency was not measured; the gate needs data, and a model that runs within seconds.',
    );
  }
  const { fp32, int8 } = report.latency;
  const measured = int8 / fp32;
  const times = `${milliseconds(fp32)} become ${milliseconds(int8)}`;
  const message = `${times}, ${number3(quotient(int8, fp32))} of the time of fp32; the gate allows ${limit}.`;
  return { limit, measured, passed: measured <= limit, message };
}

/** `: a, b, c and 4 more` */
function listed(names: readonly string[]): string {
  if (names.length === 0) return '';
  const more = names.length - NAMED;
  return `: ${names.slice(0, NAMED).join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}
