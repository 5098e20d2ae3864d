/** What a benchmark told, as a sentence and as a page. Pure. */

import type { Benchmark } from '../../shared/benchmark';
import type { Evaluation } from '../../shared/evaluation';
import { bytes, milliseconds, percent, plural, printable, times } from '../../shared/format';
import { speedBeside } from '../../shared/speed';

export interface Compared {
  /** What the models are called, in the order of the entries. */
  readonly names: readonly string[];
  readonly benchmark: Benchmark;
  /** In the same order; empty without labelled data. */
  readonly accuracies: readonly Evaluation[];
}

/** `net: 4.21 ms, 13.3 MB.` of one model; `net: int8 takes 2.10 ms, fp32 4.21 ms: 2.00× as fast, …` of two. */
export function benchmarkSentence(name: string, { names, benchmark, accuracies }: Compared): string {
  const [first, ...others] = benchmark.entries;
  if (first === undefined) return `${name}: nothing was timed.`;
  if (others.length === 0) return `${name}: ${milliseconds(first.median)} an inference (${threadsText(benchmark)}).`;
  const told = others.map((entry, index) => {
    const timed = { ...entry, fp32: first.median, int8: entry.median };
    const [before, after] = [accuracies[0], accuracies[index + 1]];
    const accuracy =
      before === undefined || after === undefined
        ? ''
        : `, top-1 ${before.top1.toFixed(1)} → ${after.top1.toFixed(1)} %`;
    return `${names[index + 1] ?? ''} takes ${milliseconds(entry.median)}, ${speedBeside(timed, names[0] ?? '')} (${milliseconds(first.median)})${accuracy}`;
  });
  return `${name}: ${told.join('; ')}.`;
}

function threadsText({ threads, runs }: Benchmark): string {
  return `median of ${plural(runs, 'run')}, ${plural(threads, 'thread')}`;
}

/** A table in Markdown. */
export function benchmarkPage(name: string, { names, benchmark, accuracies }: Compared): string {
  const withAccuracy = accuracies.length > 0;
  const head = [
    'Model',
    'Median',
    'Mean',
    '95th percentile',
    'Fastest',
    'Speed',
    'Size',
    ...(withAccuracy ? ['Top-1'] : []),
  ];
  const rows = benchmark.entries.map((entry, index) => {
    const accuracy = accuracies[index];
    return [
      cell(names[index] ?? entry.model),
      milliseconds(entry.median),
      milliseconds(entry.mean),
      milliseconds(entry.p95),
      milliseconds(entry.min),
      times(entry.ratio),
      bytes(entry.bytes),
      ...(withAccuracy ? [accuracy === undefined ? '–' : percent(accuracy.top1)] : []),
    ];
  });
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  const samples = accuracies[0]?.samples;
  return [
    `# ${cell(name)}`,
    '',
    line(head),
    line(head.map((_, index) => (index === 0 ? ':--' : '--:'))),
    ...rows.map(line),
    '',
    `Time of one inference: ${threadsText(benchmark)}, after ${plural(benchmark.warmup, 'run')} to warm up; in each round every model ran once.`,
    'Speed: median of the first model divided by the median of this one.',
    ...(samples === undefined ? [] : [`Top-1: share of ${plural(samples, 'sample')} whose class is right.`]),
    '',
  ].join('\n');
}

/** File names are no markup. */
function cell(text: string): string {
  return printable(text).replace(/[\\`*_{}[\]<>()#+!|~&-]/g, '\\$&');
}
