/** What the page knows and what a person has chosen on it. */

import { chosenIndex } from '../../src/shared/tuningText';
import type { TunePoint, Tuning } from '../../src/shared/tuning';
import type { TuneViewState } from '../../src/shared/tuneView';
import { COSTS, measured, preferred, QUALITIES, type Measure, type MeasureKey } from './points';

export interface PageState {
  readonly host: TuneViewState | null;
  /** The recipe that was picked; `null` follows the best. */
  readonly picked: number | null;
  /** `null`: what the goal is about. */
  readonly x: MeasureKey | null;
  readonly y: MeasureKey | null;
}

/** Everything that the parts draw from; `undefined` before the first recipe has been tried. */
export interface Scene {
  readonly host: TuneViewState;
  readonly tuning: Tuning;
  readonly chosen: number;
  readonly shown: number;
  readonly point: TunePoint;
  readonly x: Measure;
  readonly y: Measure;
}

export function sceneOf({ host, picked, x, y }: PageState): Scene | undefined {
  const tuning = host?.tuning ?? null;
  if (host === null || tuning === null) return undefined;
  const chosen = chosenIndex(tuning);
  const shown = picked !== null && picked < tuning.points.length ? picked : chosen;
  const across = axis(COSTS, x, tuning);
  const up = axis(QUALITIES, y, tuning);
  return { host, tuning, chosen, shown, point: tuning.points[shown]!, x: across, y: up };
}

function axis(measures: readonly Measure[], key: MeasureKey | null, tuning: Tuning): Measure {
  const found = measured(measures, tuning).find((measure) => measure.key === key);
  // A search where nothing has an error has no SQNR either; its chart is empty then.
  return found ?? preferred(measures, tuning) ?? measures.at(-1)!;
}
