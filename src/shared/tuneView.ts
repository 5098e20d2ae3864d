/**
 * What the chart of a tune (a webview) and its host say to each other. The page says that it is there and gets the
 * state, and again whenever that changes: some forty recipes at most, which is small enough to send as a whole. What
 * comes from the page is checked here before anybody acts on it.
 */

import type { ErrorData } from './errors';
import type { TuneGoal, Tuning } from './tuning';

/** `stopped`: by a person, or for want of trials, with what had been found until then. */
export type TuneStatus = 'running' | 'done' | 'stopped' | 'failed';

export interface TuneViewState {
  /** Of the model. */
  readonly title: string;
  /** Address of the recipe, by which the panel is opened again after the window was reloaded. */
  readonly recipe: string;
  readonly goal: TuneGoal;
  readonly status: TuneStatus;
  /** What it does at this moment, in words; empty when it has ended. */
  readonly doing: string;
  /** `null` before the first recipe has been tried. */
  readonly tuning: Tuning | null;
  readonly failure: ErrorData | null;
  /** Which of the points stands in the recipe, as far as this panel has written it; `null`: the recipe as it was. */
  readonly written: number | null;
}

export const TUNE_ACTIONS = ['cancel', 'openRecipe', 'run', 'again'] as const;
export type TuneAction = (typeof TUNE_ACTIONS)[number];

export interface ToTuneView {
  readonly type: 'state';
  readonly state: TuneViewState;
}

export type FromTuneView =
  | { readonly type: 'ready' }
  | { readonly type: 'act'; readonly action: TuneAction }
  /** Write what this point changes into the recipe. */
  | { readonly type: 'write'; readonly point: number };

/** `undefined` for what no page of ours sends. */
export function readFromTuneView(message: unknown): FromTuneView | undefined {
  if (typeof message !== 'object' || message === null || !('type' in message)) return undefined;
  if (message.type === 'ready') return { type: 'ready' };
  if (message.type === 'act' && 'action' in message) {
    const action = TUNE_ACTIONS.find((known) => known === message.action);
    return action === undefined ? undefined : { type: 'act', action };
  }
  if (message.type !== 'write' || !('point' in message)) return undefined;
  const { point } = message;
  return typeof point === 'number' && Number.isInteger(point) && point >= 0 ? { type: 'write', point } : undefined;
}

/** What a page has kept of an earlier window; `undefined` where that is nothing that can be shown. */
export function readKeptTune(value: unknown): TuneViewState | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { recipe, tuning, title } = value as Partial<TuneViewState>;
  const usable = typeof recipe === 'string' && recipe !== '' && typeof title === 'string';
  // Written by our own page, whose types guarantee the rest.
  return usable && typeof tuning === 'object' ? (value as TuneViewState) : undefined;
}
