/** Progress of a job, the same for the terminal, the engine protocol and the status bar. */

export const STAGES = [
  'read',
  'normalize',
  'plan',
  'calibrate',
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
}

export type OnProgress = (progress: Progress) => void;
