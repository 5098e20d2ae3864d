/** Why a layer has an error, named from data, with what to do about it. */

import type { Fix } from './fixes';

export const CAUSE_KINDS = [
  'kernel-saturation',
  'outlier-channel',
  'channel-imbalance',
  'one-sample-range',
  'unequal-concat',
  'tiny-weights',
  'dead-channels',
  'preprocessing',
  'few-samples',
] as const;
/** Stable: appears in `culprits.json` and tests. */
export type CauseKind = (typeof CAUSE_KINDS)[number];

export interface Cause {
  readonly kind: CauseKind;
  /** For people: what was found. */
  readonly sentence: string;
  /** Where it was found, if in one tensor. */
  readonly tensor?: string;
  /** Of that tensor, the worst first. */
  readonly channels?: readonly number[];
  /** Id of the sample that is to blame. */
  readonly sample?: string;
  /** What takes it away, where that is a change of the recipe. */
  readonly fix?: Fix;
}
