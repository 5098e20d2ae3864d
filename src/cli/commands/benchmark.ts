import type { BenchmarkEntry } from '../../shared/benchmark';
import { defineCommand } from '../command';
import { bytes, milliseconds, number3, plural } from '../../shared/format';
import { shapes, wholeNumber } from '../options';
import { pathFrom } from '../summary';
import { table, type Column } from '../table';
import { jobOptions } from './shared';

export const benchmark = defineCommand({
  name: 'benchmark',
  summary: 'Times models against each other, run alternately.',
  usage: 'MODEL… [--threads 1] [--warmup 10] [--runs 100] [--trust] [--json]',
  positional: {
    placeholder: 'MODEL…',
    many: true,
    help: 'ONNX models, or PyTorch models and recipes; the others are compared with the first.',
  },
  options: {
    threads: wholeNumber('N', 1, 'Threads inside one operator. Default 1.'),
    warmup: wholeNumber('N', 0, 'Untimed rounds. Default 10.'),
    runs: wholeNumber('N', 1, 'Timed rounds; in each, every model runs once. Default 100.'),
    seed: wholeNumber('N', 0, 'Of the random inputs. Default 0.'),
    shape: shapes('Shape of an input whose dimensions are not fixed.'),
    trust: jobOptions.trust,
  },
  run: async ({ files, values }, { cwd, run }) => {
    const { threads, warmup, runs, seed, shape } = values;
    const input = {
      models: files,
      ...(threads === undefined ? {} : { threads }),
      ...(warmup === undefined ? {} : { warmup }),
      ...(runs === undefined ? {} : { runs }),
      ...(seed === undefined ? {} : { seed }),
      shapes: shape,
      baseDir: cwd,
    };
    const result = await run('benchmark', input, { trusted: values.trust });
    const settings = `${plural(result.runs, 'run')} each after ${result.warmup} to warm up, ${plural(result.threads, 'thread')}`;
    return {
      json: result,
      text: (style) =>
        `${table(columns(cwd), result.entries, style)}\n\n${style.dim(`${settings}; speed is the median of paired ratios`)}`,
    };
  },
});

function columns(cwd: string): readonly Column<BenchmarkEntry>[] {
  return [
    { title: 'model', value: ({ model }) => pathFrom(cwd, model) },
    { title: 'median', align: 'right', value: ({ median }) => milliseconds(median) },
    { title: 'mean', align: 'right', value: ({ mean }) => milliseconds(mean) },
    { title: 'p95', align: 'right', value: ({ p95 }) => milliseconds(p95) },
    { title: 'min', align: 'right', value: ({ min }) => milliseconds(min) },
    { title: 'speed', align: 'right', value: ({ ratio }) => `${number3(ratio)}×` },
    { title: 'size', align: 'right', value: (entry) => bytes(entry.bytes) },
  ];
}
