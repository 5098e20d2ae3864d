/** What is told of samples that could not be read. Pure. */

import { plural } from '../../shared/format';
import type { Dataset, Skipped } from '../data/types';

/** How many samples there were without those that were passed over. */
export function samplesRead(ids: Dataset['ids'], skipped: readonly Skipped[]): number {
  const passed = new Set(skipped.map(({ item }) => item));
  return ids.filter((id) => !passed.has(id)).length;
}

/** Those of the validation: a report lists the calibration's in a field of their own. */
export function skippedWarnings(skipped: readonly Skipped[]): string[] {
  const [first] = skipped;
  if (first === undefined) return [];
  return [`${plural(skipped.length, 'validation sample')} could not be read, such as ${first.item}: ${first.reason}`];
}
