/** Asks the host for the rows of a report, and for what belongs to the layer that is shown. */

import { toQuantscopeError } from '../../src/shared/errors';
import { PAGE_ROWS, type LayerFacts, type LayerMeasurements, type RowPage } from '../../src/shared/viewFacts';
import type { ViewState } from '../../src/shared/viewProtocol';
import { layersOf } from './layers';
import type { Connection } from './messages';
import { shownLayer, withLayers, type Asked, type AppState, type AppStore } from './state';

/** A pointer that only passes by asks for nothing. */
const REST_MS = { layer: 40, measurements: 160 } as const;

interface Asks {
  layer: LayerFacts;
  measurements: LayerMeasurements;
}

export class Loader {
  readonly #store: AppStore;
  readonly #connection: Connection;
  readonly #known = { layer: new Map<number, LayerFacts>(), measurements: new Map<number, LayerMeasurements>() };
  /** The report whose rows are loaded or on their way. */
  #report: string | null = null;
  /** Selected before the page was hidden. */
  #remembered: string | null;
  #timers: ReturnType<typeof setTimeout>[] = [];

  constructor(store: AppStore, connection: Connection, remembered: string | null) {
    this.#store = store;
    this.#connection = connection;
    this.#remembered = remembered;
    store.on(['pinned', 'cursor', 'layers'], (state, former) => {
      if (shownLayer(state) !== shownLayer(former) || state.layers !== former.layers) this.#show(state);
    });
  }

  async start(): Promise<void> {
    try {
      await this.take(await this.#connection.request('state', {}));
    } catch (error) {
      this.#store.update({ lost: toQuantscopeError(error).toData() });
    }
  }

  /** A new state of the host; its rows are fetched where they belong to another report. */
  async take(host: ViewState): Promise<void> {
    if (host.content.kind !== 'report') {
      this.#report = null;
      this.#store.update({ host, job: host.job, lost: null, layers: null, report: null });
      return;
    }
    const { id, layers: count } = host.content.report;
    if (id === this.#report) {
      this.#store.update({ host, job: host.job, lost: null });
      return;
    }
    this.#report = id;
    const pages = await this.#pages(id, count);
    // Another report came in the meantime.
    if (this.#report !== id) return;
    this.#known.layer.clear();
    this.#known.measurements.clear();
    const selected = host.selected ?? this.#remembered;
    this.#remembered = null;
    this.#store.update({
      host,
      job: host.job,
      lost: null,
      ...withLayers(this.#store.state, layersOf(pages), id, selected),
    });
  }

  #pages(report: string, count: number): Promise<RowPage[]> {
    const starts = Array.from({ length: Math.ceil(count / PAGE_ROWS) }, (_, page) => page * PAGE_ROWS);
    return Promise.all(starts.map((start) => this.#connection.request('rows', { report, start })));
  }

  #show(state: AppState): void {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers = [];
    const layer = shownLayer(state);
    const { report } = state;
    if (layer === null || report === null) {
      this.#store.update({ facts: null, measurements: null });
      return;
    }
    this.#store.update({
      facts: this.#ask('layer', report, layer, (facts) => ({ facts })),
      measurements: this.#ask('measurements', report, layer, (measurements) => ({ measurements })),
    });
  }

  /** What is known already; otherwise `loading`, and the answer when it comes. */
  #ask<M extends keyof Asks>(
    method: M,
    report: string,
    layer: number,
    change: (asked: Asked<Asks[M]>) => Partial<AppState>,
  ): Asked<Asks[M]> {
    const known = this.#known[method] as Map<number, Asks[M]>;
    const value = known.get(layer);
    if (value !== undefined) return { state: 'ready', value };
    const answer = async (): Promise<void> => {
      let asked: Asked<Asks[M]>;
      try {
        const result = (await this.#connection.request(method, { report, layer })) as Asks[M];
        asked = { state: 'ready', value: result };
        if (this.#store.state.report === report) known.set(layer, result);
      } catch (error) {
        asked = { state: 'failed', error: toQuantscopeError(error).toData() };
      }
      const { state } = this.#store;
      if (state.report === report && shownLayer(state) === layer) this.#store.update(change(asked));
    };
    this.#timers.push(setTimeout(() => void answer(), REST_MS[method]));
    return { state: 'loading' };
  }
}
