/** A quantization for people: what came out of it, where it is, and what to do next. */

import * as path from 'node:path';
import { checkGates, type GateResult } from '../shared/gates';
import { outputName, worstOutput } from '../shared/outputs';
import type { Report } from '../shared/report';
import { bytes, decibels, percent, plural, printable, signed, sizeChange } from '../shared/format';
import { comparedOf, measuredText, shareText } from '../shared/measured';
import { speedText } from '../shared/speed';
import { countStrip, layerTable, reasonLegend } from './layers';
import { commandLine, fileArgument } from './shell';
import type { Style } from './style';
import { facts } from './table';

/** What the report does not know of itself. */
export interface Surroundings {
  /** Folder of the results. */
  readonly outDir: string;
  readonly cwd: string;
  /** The command that saves these settings, where they are not saved yet. */
  readonly save?: string | undefined;
}

export function reportText(report: Report, { outDir, cwd, save }: Surroundings, style: Style): string {
  const gates = checkGates(report);
  const files = filesOf(report, outDir, cwd);
  const strip = facts(
    [
      ['layers', countStrip(report, style)],
      ['accuracy', accuracyText(report)],
      ['output', outputText(report)],
      ['parts', partsText(report)],
      ['size', sizeText(report)],
      ['speed', latencyText(report)],
      ['calibration', calibrationText(report)],
      [
        'runs on',
        `${report.backend}, ${report.environment.isa}${report.environment.saturates ? ' (u8×s8 products saturate)' : ''}`,
      ],
      ['model', files.model],
      ['report', files.report],
      ['next', commandLine('layers', fileArgument(files.report), '--sort', 'sqnr')],
      ['as a recipe', save],
    ],
    style,
  );
  return [
    layerTable(report.layers, style),
    reasonLegend(report.layers, style),
    warningText(report, style),
    strip,
    gatesText(gates, style),
  ]
    .filter((part) => part !== '')
    .join('\n\n');
}

/** What a path is called from here, which is what the user can type. */
export function pathFrom(cwd: string, file: string): string {
  const relative = path.relative(cwd, file);
  return printable(relative === '' ? '.' : relative.startsWith(`..${path.sep}..`) ? file : relative);
}

export function reportPath(outDir: string): string {
  return path.join(outDir, 'report.json');
}

function filesOf(report: Report, outDir: string, cwd: string): { readonly model?: string; readonly report: string } {
  const files = { report: pathFrom(cwd, reportPath(outDir)) };
  return report.quantized === null
    ? files
    : { ...files, model: pathFrom(cwd, path.join(outDir, path.basename(report.quantized.path))) };
}

function accuracyText({ accuracy, maybeClasses = [] }: Report): string | undefined {
  if (accuracy === null) {
    if (maybeClasses.length === 0) return undefined;
    const names = maybeClasses.map((name) => `"${printable(name)}"`).join(' or ');
    return `not compared by class: if ${names} holds the scores of classes, give labels or set \`task: classify\``;
  }
  const pair = (name: string, values: { readonly fp32: number; readonly int8: number } | null): string[] =>
    values === null
      ? []
      : [`${name} ${percent(values.fp32)} → ${percent(values.int8)} (${signed(values.int8 - values.fp32)} points)`];
  const parts = [
    ...pair('top-1', accuracy.top1),
    ...pair('top-5', accuracy.top5),
    ...(accuracy.agreement === null ? [] : [`same class ${percent(accuracy.agreement)}`]),
  ];
  const { labelled, samples } = accuracy;
  const of = `on ${plural(samples, 'sample')}${labelled === undefined ? '' : `, of which ${labelled} have a label`}`;
  return parts.length === 0 ? undefined : `${parts.join(', ')}, ${of}`;
}

function outputText(report: Report): string | undefined {
  const worst = worstOutput(report);
  if (worst === undefined) return undefined;
  const error = comparedOf(worst.error);
  if (error === null) return `nothing of ${printable(outputName(worst))} could be compared`;
  const { sqnr, cosine, worst: sample } = error;
  const where = sqnr === null ? '' : `, worst sample ${printable(sample.sample)} ${decibels(sample.sqnr)}`;
  return `${printable(outputName(worst))} ${decibels(sqnr)}, cosine ${cosine.toFixed(5)}${where}${shareText(error)}`;
}

/** The parts that the worst one is the worst of. */
function partsText({ outputs }: Report): string | undefined {
  const lines = outputs.flatMap(({ name: output, parts = [] }) =>
    parts.map(({ error, ...part }) => `${printable(outputName({ output, part }))} ${measuredText(error)}`),
  );
  return lines.length === 0 ? undefined : `measured apart: ${lines.join(', ')}`;
}

function sizeText({ model, quantized }: Report): string | undefined {
  if (quantized === null) return undefined;
  return `${bytes(model.bytes)} → ${bytes(quantized.bytes)} (${sizeChange(model.bytes, quantized.bytes)})`;
}

function latencyText({ latency }: Report): string | undefined {
  if (latency === undefined || latency === null) return undefined;
  return `${speedText(latency)}; one inference on one thread, medians of ${plural(latency.runs, 'run')} each`;
}

function calibrationText({ calibration }: Report): string | undefined {
  if (calibration === null) return undefined;
  const { data, samples, observer, cached, synthetic, skipped } = calibration;
  return [
    `${printable(data)}; observer ${observer}`,
    ...(cached ? ['from the cache'] : []),
    ...(synthetic ? ['SYNTHETIC: ranges and errors say little about real data'] : []),
    ...(skipped.length > 0 ? [`${samples} read, ${skipped.length} skipped`] : []),
  ].join(', ');
}

const SHOWN = 10;

function warningText({ warnings, calibration }: Report, style: Style): string {
  const skipped = (calibration?.skipped ?? []).map(({ item, reason }) => `skipped ${item}: ${reason}`);
  return warningLines([...warnings, ...skipped], style);
}

export function warningLines(warnings: readonly string[], style: Style): string {
  const more = warnings.length - SHOWN;
  const lines = warnings.slice(0, SHOWN).map((line) => `${style.yellow('! warning')} ${printable(line)}`);
  return [...lines, ...(more > 0 ? [`  and ${more} more, in the report`] : [])].join('\n');
}

function gatesText(gates: readonly GateResult[], style: Style): string {
  return gates
    .map(
      ({ gate, passed, message }) => `${passed ? style.green('✓ passed') : style.red('✗ failed')} ${gate}: ${message}`,
    )
    .join('\n');
}
