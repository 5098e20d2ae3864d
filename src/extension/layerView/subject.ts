/** What a layer view is about. */

import type { Candidate } from '../../shared/fixesToTry';
import type { Report } from '../../shared/report';
import type { FoundOut } from '../findings/read';

/** A run with what it is compared with, and what was found out about it since. */
export interface Subject {
  readonly report: Report;
  readonly base: Base | undefined;
  readonly found: FoundOut;
  /** Fixes that are tried in the background before they are offered. */
  readonly planned: readonly Candidate[];
  /** Another one where other fixes are offered untried. */
  readonly stamp: string;
}

/** What a run is compared with. */
export interface Base {
  readonly report: Report;
  readonly relation: 'previous' | 'chosen';
}
