/**
 * Which model, and which of its layers, all views look at: chart, table, tree and recipe select
 * together.
 */

import * as vscode from 'vscode';
import type { ModelEntry } from './results';

export interface SelectionState {
  readonly entry: ModelEntry | undefined;
  /** Name of a layer of that model. */
  readonly layer: string | undefined;
}

/** Who changed it, so that a view does not answer its own change. */
export type SelectionSource = 'tree' | 'view' | 'editor' | 'command';

export class Selection implements vscode.Disposable {
  readonly #changed = new vscode.EventEmitter<SelectionState & { readonly source: SelectionSource }>();
  #state: SelectionState = { entry: undefined, layer: undefined };

  readonly onDidChange = this.#changed.event;

  get entry(): ModelEntry | undefined {
    return this.#state.entry;
  }

  get layer(): string | undefined {
    return this.#state.layer;
  }

  /** Shows a model, and no layer of it unless one is named. */
  show(entry: ModelEntry, source: SelectionSource, layer?: string): void {
    this.#state = { entry, layer };
    this.#changed.fire({ ...this.#state, source });
  }

  select(layer: string | undefined, source: SelectionSource): void {
    if (layer === this.#state.layer) return;
    this.#state = { ...this.#state, layer };
    this.#changed.fire({ ...this.#state, source });
  }

  dispose(): void {
    this.#changed.dispose();
  }
}
