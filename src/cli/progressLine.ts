/** One line on the terminal that shows where a job is; nothing where the output is no terminal. */

import type { OnProgress, Progress } from '../shared/progress';
import { number3, printable, seconds } from '../shared/format';

export interface LineOutput {
  readonly isTTY: boolean;
  readonly columns: number;
  write(text: string): void;
}

export interface ProgressLine {
  readonly show: OnProgress;
  /** Takes the line away, before anything else is printed. */
  clear(): void;
}

/** Faster than anybody reads costs more than it tells. */
const INTERVAL_MS = 100;
const ERASE_LINE = '\r\u001b[2K';

export function progressLine(output: LineOutput, now: () => number = () => performance.now()): ProgressLine {
  if (!output.isTTY) return { show: () => undefined, clear: () => undefined };
  let last: { readonly time: number; readonly stage: string } | undefined;
  return {
    show(progress) {
      const time = now();
      if (last?.stage === progress.stage && time - last.time < INTERVAL_MS) return;
      last = { time, stage: progress.stage };
      const text = Array.from(describeProgress(progress)).slice(0, Math.max(0, output.columns - 1));
      output.write(ERASE_LINE + text.join(''));
    },
    clear() {
      if (last !== undefined) output.write(ERASE_LINE);
      last = undefined;
    },
  };
}

/** `calibrate  34/100  12.3/s  5.37 s left` */
export function describeProgress({ stage, done, total, rate, secondsLeft, message }: Progress): string {
  return [
    stage,
    ...(total > 0 ? [`${done}/${total}`] : []),
    ...(rate === undefined ? [] : [`${number3(rate)}/s`]),
    ...(secondsLeft === undefined ? [] : [`${seconds(secondsLeft)} left`]),
    ...(message === undefined ? [] : [printable(message)]),
  ].join('  ');
}
