/** Options and steps that several commands share. */

import type { JobOptions } from '../../shared/protocol';
import { BACKEND_IDS } from '../../shared/recipe';
import { byteSize, choice, flag, wholeNumber } from '../options';

export const backend = choice('B', BACKEND_IDS, 'Whose rules decide what runs in int8.', 'backend-unknown');

export const DATA_HELP = 'Images, .npy, .npz, .pb, .jsonl or a .js module; a folder, file or glob.';

/** How a job runs, not what it does. */
export const jobOptions = {
  threads: wholeNumber('N', 1, 'Threads inside one operator.'),
  'memory-cap': byteSize('SIZE', 'Upper bound for what calibration holds at once, e.g. 512MB.'),
  trust: flag('Run the code that is named: a PyTorch model, a JavaScript module as data.'),
} as const;

export function toJobOptions(values: {
  readonly threads: number | undefined;
  readonly 'memory-cap'?: number | undefined;
  readonly trust: boolean;
}): JobOptions {
  return {
    ...(values.threads === undefined ? {} : { threads: values.threads }),
    ...(values['memory-cap'] === undefined ? {} : { memoryCapBytes: values['memory-cap'] }),
    trusted: values.trust,
  };
}
