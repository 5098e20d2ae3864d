/** How far a job is, in words and as one bar. Pure. */

import { number3, printable, seconds } from '../../shared/format';
import { STAGES, type Progress, type Stage } from '../../shared/progress';

const STAGE_WORDS: Readonly<Record<Stage, string>> = {
  read: 'Reading the model',
  normalize: 'Normalizing the graph',
  plan: 'Planning',
  calibrate: 'Calibrating',
  train: 'Training',
  convert: 'Converting',
  verify: 'Asking which kernels run',
  analyze: 'Measuring errors',
  evaluate: 'Measuring accuracy',
  benchmark: 'Timing',
  tune: 'Trying changes',
};

/** Share of a run that each stage takes, roughly: a bar that never goes back matters more than one that is exact. */
const WEIGHTS: Readonly<Record<Stage, number>> = {
  read: 2,
  normalize: 2,
  plan: 2,
  calibrate: 35,
  train: 0,
  convert: 4,
  verify: 5,
  analyze: 30,
  evaluate: 15,
  benchmark: 5,
  tune: 0,
};

const WHOLE = STAGES.reduce((sum, stage) => sum + WEIGHTS[stage], 0);

/** `Calibrating 34/100 · 12.3/s · 5.37 s left` */
export function progressText({ stage, done, total, rate, secondsLeft, message }: Progress): string {
  const counted = total > 1 ? `${STAGE_WORDS[stage]} ${done}/${total}` : STAGE_WORDS[stage];
  return [
    counted,
    ...(rate === undefined || done === 0 ? [] : [`${number3(rate)}/s`]),
    ...(secondsLeft === undefined || secondsLeft === 0 ? [] : [`${seconds(secondsLeft)} left`]),
    ...(message === undefined ? [] : [printable(message)]),
  ].join(' · ');
}

/** The same in a few characters, for the status bar: `calibrating 34 %`. */
export function shortProgress({ stage, done, total }: Progress): string {
  const [word = ''] = STAGE_WORDS[stage].split(' ');
  return total > 1 ? `${word.toLowerCase()} ${Math.floor((100 * done) / total)} %` : word.toLowerCase();
}

/** How much of a job is done, in percent. @param only the one stage that the job has, if it has only one */
export function percentDone({ stage, done, total }: Progress, only?: Stage): number {
  const part = total > 0 ? Math.min(1, done / total) : 0;
  if (only !== undefined) return stage === only ? 100 * part : 0;
  const before = STAGES.slice(0, STAGES.indexOf(stage)).reduce((sum, earlier) => sum + WEIGHTS[earlier], 0);
  return (100 * (before + part * WEIGHTS[stage])) / WHOLE;
}
