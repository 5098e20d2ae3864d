/** What the page knows and shows, and what of it outlives the page. */

import type { ErrorData } from '../../src/shared/errors';
import type { LayerFacts, LayerMeasurements } from '../../src/shared/viewFacts';
import type { JobFacts, ViewSource, ViewState } from '../../src/shared/viewProtocol';
import { fitView, type View } from './chart/scale';
import type { Layers } from './layers';
import { arrange, FIRST_DESCENDING, SORT_KEYS, STATUSES, type Filter, type Sort } from './order';
import { Store } from './store';

/** Something asked of the host for one layer. */
export type Asked<T> =
  | { readonly state: 'loading' }
  | { readonly state: 'failed'; readonly error: ErrorData }
  | { readonly state: 'ready'; readonly value: T };

export interface AppState {
  /** `null` until the host has answered. */
  readonly host: ViewState | null;
  /** How far the job is that runs, which is told many times a second: apart, so that little is drawn anew. */
  readonly job: JobFacts | null;
  /** The host did not answer. */
  readonly lost: ErrorData | null;
  readonly layers: Layers | null;
  /** The report that {@link layers} belong to. */
  readonly report: string | null;
  /** The layers of the table. */
  readonly order: readonly number[];
  readonly filter: Filter;
  readonly sort: Sort;
  /** The part of the network in view; `null`: all of it. */
  readonly zoom: View | null;
  /** Previewed, by hovering or by the arrow keys. */
  readonly cursor: number | null;
  readonly pinned: number | null;
  /** Whether counts of histograms are drawn on a logarithmic scale. */
  readonly logCounts: boolean;
  /** The tensor whose histogram is shown. */
  readonly role: 'input' | 'output';
  readonly facts: Asked<LayerFacts> | null;
  readonly measurements: Asked<LayerMeasurements> | null;
  /** For screen readers. */
  readonly announcement: string;
  /** Says what came of an action. */
  readonly notice: string;
}

export type AppStore = Store<AppState>;

export const NO_FILTER: Filter = { text: '', statuses: STATUSES };
export const WORST_FIRST: Sort = { key: 'local', descending: false };

/** What is kept while the page is hidden, and over a reload of the window. */
export interface Kept {
  readonly source: ViewSource;
  readonly selected: string | null;
  readonly zoom: View | null;
  readonly filter: Filter;
  readonly sort: Sort;
  readonly scroll: number;
  readonly logCounts: boolean;
}

type Fields = Readonly<Record<string, unknown>>;

function fieldsOf(value: unknown): Fields {
  return typeof value === 'object' && value !== null ? (value as Fields) : {};
}

/** Whatever an earlier version of this page has kept, as far as it still means something. */
export function readKept(value: unknown): Partial<Kept> {
  const { selected, zoom, filter, sort, scroll, logCounts } = fieldsOf(value);
  const { text, statuses } = fieldsOf(filter);
  const { key, descending } = fieldsOf(sort);
  const knownKey = SORT_KEYS.find((candidate) => candidate === key);
  const ends: readonly unknown[] = Array.isArray(zoom) ? zoom : [];
  const [from, to] = ends;
  const isView = ends.length === 2 && Number.isFinite(from) && Number.isFinite(to) && Number(from) < Number(to);
  return {
    ...(typeof selected === 'string' ? { selected } : {}),
    ...(isView ? { zoom: [Number(from), Number(to)] as const } : {}),
    ...(typeof text === 'string' && Array.isArray(statuses)
      ? { filter: { text, statuses: STATUSES.filter((status) => statuses.includes(status)) } }
      : {}),
    ...(knownKey === undefined ? {} : { sort: { key: knownKey, descending: descending === true } }),
    ...(typeof scroll === 'number' && scroll >= 0 ? { scroll } : {}),
    ...(typeof logCounts === 'boolean' ? { logCounts } : {}),
  };
}

/** @param schedule when to draw what has changed */
export function createStore(kept: Partial<Kept>, schedule: (draw: () => void) => void): AppStore {
  const initial: AppState = {
    host: null,
    job: null,
    lost: null,
    layers: null,
    report: null,
    order: [],
    filter: kept.filter ?? NO_FILTER,
    sort: kept.sort ?? WORST_FIRST,
    zoom: kept.zoom ?? null,
    cursor: null,
    pinned: null,
    logCounts: kept.logCounts ?? true,
    role: 'output',
    facts: null,
    measurements: null,
    announcement: '',
    notice: '',
  };
  return new Store(initial, schedule);
}

/** The state with other layers in it: the same layers stay selected and in view, as far as they are still there. */
export function withLayers(
  state: AppState,
  layers: Layers,
  report: string,
  selected: string | null,
): Partial<AppState> {
  const find = (name: string | null | undefined): number | null => {
    const layer = name === null || name === undefined ? -1 : layers.name.indexOf(name);
    return layer === -1 ? null : layer;
  };
  const nameOf = (layer: number | null): string | undefined => (layer === null ? undefined : state.layers?.name[layer]);
  const sameSize = state.layers === null || state.layers.count === layers.count;
  return {
    layers,
    report,
    order: arrange(layers, state.filter, state.sort),
    pinned: find(selected),
    cursor: find(nameOf(state.cursor)),
    zoom: sameSize && state.zoom !== null ? fitView(state.zoom, layers.count) : null,
  };
}

/** Another click on the same column turns it round. */
export function sortedBy(sort: Sort, key: Sort['key']): Sort {
  return sort.key === key ? { key, descending: !sort.descending } : { key, descending: FIRST_DESCENDING.has(key) };
}

/** The layer whose details are shown. */
export function shownLayer({ pinned, cursor }: Pick<AppState, 'pinned' | 'cursor'>): number | null {
  return pinned ?? cursor;
}

/** Which layers the chart does not dim; `null`: all. */
export function passing({ order, layers }: Pick<AppState, 'order' | 'layers'>): ReadonlySet<number> | null {
  return layers === null || order.length === layers.count ? null : new Set(order);
}
