import * as os from 'node:os';
import * as path from 'node:path';
import { writeFinding } from '../../core/findingFiles';
import { readReport, resultFolder } from '../../core/reportFile';
import type { Benchmark, BenchmarkEntry } from '../../shared/benchmark';
import { QuantscopeError } from '../../shared/errors';
import type { Report } from '../../shared/report';
import { speedCheck } from '../../shared/findings';
import { explainSpeed } from '../../shared/slowness';
import { defineCommand } from '../command';
import { bytes, milliseconds, number3, plural, times } from '../../shared/format';
import { flag, shapes, threads, wholeNumber } from '../options';
import { speedText } from '../speed';
import type { Style } from '../style';
import { pathFrom } from '../summary';
import { table, type Column } from '../table';
import { jobOptions } from './shared';

export const benchmark = defineCommand({
  name: 'benchmark',
  summary: 'Times models against each other, run alternately.',
  usage: 'MODEL…|REPORT --explain [--threads 1] [--warmup 10] [--runs 100] [--trust] [--json]',
  positional: {
    placeholder: 'MODEL…',
    many: true,
    help: 'ONNX models, or PyTorch models and recipes; the others are compared with the first.',
  },
  options: {
    threads: threads(' Default 1.'),
    warmup: wholeNumber('N', 0, 'Untimed rounds. Default 10.'),
    runs: wholeNumber('N', 1, 'Timed rounds; in each, every model runs once. Default 100.'),
    seed: wholeNumber('N', 0, 'Of the random inputs. Default 0.'),
    explain: flag('Why int8 is not faster: instead of models, the report of a run, whose two models are timed.'),
    shape: shapes('Shape of an input whose dimensions are not fixed.'),
    trust: jobOptions.trust,
  },
  run: async ({ files, values }, { cwd, run }) => {
    const { threads, warmup, runs, seed, shape, explain, trust } = values;
    const settings = {
      ...(warmup === undefined ? {} : { warmup }),
      ...(runs === undefined ? {} : { runs }),
      ...(seed === undefined ? {} : { seed }),
      shapes: shape,
      baseDir: cwd,
    };
    const time = async (models: readonly string[], count: number | undefined): Promise<Benchmark> =>
      run('benchmark', { models, ...(count === undefined ? {} : { threads: count }), ...settings }, { trusted: trust });
    if (!explain) {
      const result = await time(files, threads);
      return { json: result, text: (style) => benchmarkText(result, cwd, style) };
    }
    const named = path.resolve(cwd, files[0]);
    const report = await readReport(named);
    const models = modelsOf(report, files.length);
    const several = threads ?? os.availableParallelism();
    const benchmarks = [await time(models, 1), ...(several > 1 ? [await time(models, several)] : [])];
    const speed = speedCheck(report, benchmarks);
    await writeFinding(path.extname(named) === '.json' ? resultFolder(named) : named, 'speed', speed);
    const findings = explainSpeed(report, speed.timings);
    return {
      json: { benchmarks, conversions: report.conversions ?? null, findings },
      text: (style) =>
        [...benchmarks.map((result) => benchmarkText(result, cwd, style)), speedText(report, findings, style)].join(
          '\n\n',
        ),
    };
  },
});

/** @throws `usage` */
function modelsOf({ model, quantized, framework }: Report, files: number): readonly string[] {
  if (files > 1) throw new QuantscopeError('usage', '`benchmark --explain` takes one report.');
  if (quantized === null || framework !== 'onnx') {
    throw new QuantscopeError('usage', 'The report has no ONNX model in int8 to time.');
  }
  return [model.path, quantized.path];
}

function benchmarkText(result: Benchmark, cwd: string, style: Style): string {
  const settings = `${plural(result.runs, 'run')} each after ${result.warmup} to warm up, ${plural(result.threads, 'thread')}`;
  return `${table(columns(cwd), result.entries, style)}\n\n${style.dim(`${settings}; speed is the first median ÷ this one, in brackets with 95 % confidence`)}`;
}

function columns(cwd: string): readonly Column<BenchmarkEntry>[] {
  return [
    { title: 'model', value: ({ model }) => pathFrom(cwd, model) },
    { title: 'median', align: 'right', value: ({ median }) => milliseconds(median) },
    { title: 'mean', align: 'right', value: ({ mean }) => milliseconds(mean) },
    { title: 'p95', align: 'right', value: ({ p95 }) => milliseconds(p95) },
    { title: 'min', align: 'right', value: ({ min }) => milliseconds(min) },
    {
      title: 'speed',
      align: 'right',
      value: ({ ratio, interval }) =>
        `${times(ratio)}${interval === undefined ? '' : ` (${number3(interval.low)} … ${number3(interval.high)})`}`,
    },
    { title: 'size', align: 'right', value: (entry) => bytes(entry.bytes) },
  ];
}
