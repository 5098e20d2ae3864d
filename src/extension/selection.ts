/**
 * Which model, and which of its layers, all views look at: chart, table, tree and recipe select
 * together.
 */

import * as vscode from 'vscode';
import type { Inspection } from '../shared/inspection';
import type { ModelEntry } from './results';

export interface SelectionState {
  readonly entry: ModelEntry | undefined;
  /** Name of a layer of that model. */
  readonly layer: string | undefined;
  /** What a look at the model told, where that is to be shown instead of the last report. */
  readonly inspection: Inspection | undefined;
}

/** Who changed it, so that a view does not answer its own change. */
export type SelectionSource = 'tree' | 'view' | 'editor' | 'command';

export class Selection implements vscode.Disposable {
  readonly #changed = new vscode.EventEmitter<SelectionState & { readonly source: SelectionSource }>();
  #state: SelectionState = { entry: undefined, layer: undefined, inspection: undefined };

  readonly onDidChange = this.#changed.event;

  get entry(): ModelEntry | undefined {
    return this.#state.entry;
  }

  get layer(): string | undefined {
    return this.#state.layer;
  }

  get inspection(): Inspection | undefined {
    return this.#state.inspection;
  }

  /** Shows the last report of a model, and no layer of it unless one is named. */
  show(entry: ModelEntry, source: SelectionSource, layer?: string): void {
    this.#set({ entry, layer, inspection: undefined }, source);
  }

  /** Shows what a look at the model told. */
  showInspection(entry: ModelEntry, inspection: Inspection, source: SelectionSource): void {
    this.#set({ entry, layer: undefined, inspection }, source);
  }

  select(layer: string | undefined, source: SelectionSource): void {
    if (layer !== this.#state.layer) this.#set({ ...this.#state, layer }, source);
  }

  dispose(): void {
    this.#changed.dispose();
  }

  #set(state: SelectionState, source: SelectionSource): void {
    this.#state = state;
    this.#changed.fire({ ...state, source });
  }
}
