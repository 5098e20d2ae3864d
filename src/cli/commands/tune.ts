import { readFile } from 'node:fs/promises';
import * as path from 'node:path';
import { writeFileAtomic } from '../../core/files';
import { readRecipe } from '../../core/recipeFile';
import { resultsFolder } from '../../core/resultsFolder';
import { EXIT, QuantscopeError, toQuantscopeError } from '../../shared/errors';
import { bytes, decibels, NOTHING, percent, plural, printableLines, seconds, times } from '../../shared/format';
import { tunedRecipe } from '../../shared/tunedRecipe';
import { changesText, figuresText } from '../../shared/tuningText';
import type { TuneGoal, TunePoint, Tuning } from '../../shared/tuning';
import { defineCommand } from '../command';
import { flag, number, wholeNumber } from '../options';
import type { Style } from '../style';
import { pathFrom } from '../summary';
import { facts, table, type Column } from '../table';
import { jobOptions, toJobOptions } from './shared';

export const tune = defineCommand({
  name: 'tune',
  summary: 'Searches the recipe that holds a goal with the most in int8.',
  usage: 'RECIPE --max-drop P | --min-sqnr DB | --max-latency-ratio R [--samples 100] [--write] [--json]',
  positional: { placeholder: 'RECIPE', help: 'A NAME.quant.yaml.' },
  options: {
    'max-drop': number('P', 'Points of top-1 that may be lost; of agreement where there are no labels.'),
    'min-sqnr': number('DB', 'Least SQNR of the worst output.'),
    'max-latency-ratio': number('R', 'Time of int8 ÷ time of fp32, one thread.'),
    samples: wholeNumber('N', 1, 'Samples to judge by. Default 100.'),
    trials: wholeNumber('N', 1, 'Most recipes to try. Default 40.'),
    seed: wholeNumber('N', 0, 'Of the confidence intervals. Default 0.'),
    write: flag('Write the result into the recipe.'),
    ...jobOptions,
  },
  run: async ({ files: [file], values }, { cwd, run, say }) => {
    const goal = goalOf(values);
    const { samples, trials, seed } = values;
    const location = path.resolve(cwd, file);
    const { recipe } = await readRecipe(location);
    const baseDir = path.dirname(location);
    const input = {
      ...{ recipe, baseDir, goal, outDir: resultsFolder(path.resolve(baseDir, recipe.model), recipe.framework) },
      ...(samples === undefined ? {} : { samples }),
      ...(trials === undefined ? {} : { trials }),
      ...(seed === undefined ? {} : { seed }),
    };
    let last: Tuning | undefined;
    const follow = (tuning: Tuning): void => {
      last = tuning;
      say(pointLine(tuning.points.at(-1)!, tuning));
    };
    let tuning: Tuning;
    try {
      tuning = await run('tune', input, toJobOptions(values), (progress) => {
        if (progress.tuning !== undefined) follow(progress.tuning);
      });
    } catch (error) {
      if (toQuantscopeError(error).code !== 'cancelled' || last === undefined) throw error;
      // What a cancelled search found so far is still found.
      tuning = last;
    }
    const text = tunedRecipe(await readFile(location, 'utf8'), tuning.best.changes);
    if (values.write) await writeFileAtomic(location, text);
    return {
      json: { ...tuning, recipe: text },
      text: (style) => tuningText(tuning, { text, written: values.write ? pathFrom(cwd, location) : undefined }, style),
      exit: tuning.best.reached ? EXIT.ok : EXIT.gateFailed,
    };
  },
});

function goalOf(values: {
  readonly 'max-drop': number | undefined;
  readonly 'min-sqnr': number | undefined;
  readonly 'max-latency-ratio': number | undefined;
}): TuneGoal {
  const { 'max-drop': maxDrop, 'min-sqnr': minSqnr, 'max-latency-ratio': maxLatencyRatio } = values;
  const goal = {
    ...(maxDrop === undefined ? {} : { maxDrop }),
    ...(minSqnr === undefined ? {} : { minSqnr }),
    ...(maxLatencyRatio === undefined ? {} : { maxLatencyRatio }),
  };
  if (Object.keys(goal).length === 0) {
    throw new QuantscopeError('usage', '`tune` needs a goal: --max-drop, --min-sqnr or --max-latency-ratio.');
  }
  return goal;
}

/** `3/40  21.4 dB, top-1 48.0 %, 100 % in int8, 0.52× the time of fp32, 1.3 MB  misses the goal  ranges by mse` */
function pointLine(point: TunePoint, { points, trials }: Tuning): string {
  const verdict = point.reached ? 'holds the goal' : 'misses the goal';
  return `${points.length}/${trials}  ${figuresText(point)}  ${verdict}  ${changesText(point)}`;
}

function tuningText(
  tuning: Tuning,
  { text, written }: { readonly text: string; readonly written: string | undefined },
  style: Style,
): string {
  const { start, best, points, top1Fp32, samples, complete } = tuning;
  const holds = best.reached
    ? style.green('✓ holds the goal')
    : style.red('✗ nothing found holds the goal; this is nearest');
  const strip = facts(
    [
      ['result', complete ? holds : `${holds}; the search was stopped before its end`],
      ['top-1 fp32', top1Fp32 === null ? undefined : percent(top1Fp32)],
      ['tried', `${plural(points.length, 'recipe')} on ${plural(samples, 'sample')} in ${seconds(tuning.seconds)}`],
      ['recipe', written ?? 'not written; add --write'],
    ],
    style,
  );
  const rows = best === start ? [start] : [start, best];
  return [table(COLUMNS, rows, style), strip, printableLines(text.trimEnd())].join('\n\n');
}

const COLUMNS: readonly Column<TunePoint>[] = [
  { title: 'recipe', value: (point) => changesText(point) },
  { title: 'output', align: 'right', value: ({ sqnr }) => decibels(sqnr) },
  { title: 'top-1', align: 'right', value: ({ top1 }) => (top1 === null ? undefined : percent(top1)) },
  {
    title: 'same class',
    align: 'right',
    value: ({ agreement }) => (agreement === null ? undefined : percent(agreement)),
  },
  { title: 'in int8', align: 'right', value: ({ macs }) => percent(macs) },
  {
    title: 'time of fp32',
    align: 'right',
    value: ({ latencyRatio }) => (latencyRatio === null ? NOTHING : times(latencyRatio)),
  },
  { title: 'size', align: 'right', value: (point) => bytes(point.bytes) },
];
