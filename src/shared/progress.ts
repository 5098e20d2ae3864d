/** Progress of a job, the same for the terminal, the engine protocol and the status bar. */

import type { Tuning } from './tuning';

export const STAGES = [
  'read',
  'normalize',
  'plan',
  'calibrate',
  'train',
  'convert',
  'verify',
  'analyze',
  'evaluate',
  'benchmark',
  'tune',
] as const;
export type Stage = (typeof STAGES)[number];

export interface Progress {
  readonly stage: Stage;
  readonly done: number;
  readonly total: number;
  /** Items per second so far; absent before the first item. */
  readonly rate?: number;
  /** Seconds left at that rate. */
  readonly secondsLeft?: number;
  readonly message?: string;
  /** Of a tune, after each trial: what it has found so far, which is what a cancelled one leaves. */
  readonly tuning?: Tuning;
}

export type OnProgress = (progress: Progress) => void;
