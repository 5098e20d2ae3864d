/**
 * Fixes: what a person may do about a layer, as data. A fix chosen in the tree, in the layer view or
 * in the editor is the same edit of the recipe (`recipeEdit.ts`).
 */

import type { ActivationType, BackendId, LayerOverride, Mode, ObserverId, Preprocess } from './recipe';
import type { TorchMode } from './recipeValues';

/** What a fix changes in the recipe. */
export type RecipeChange =
  /** Adds an entry under `layers`, or changes the one that has this selector. */
  | { readonly kind: 'override'; readonly override: LayerOverride }
  /** Removes the entry under `layers` that has this selector. */
  | { readonly kind: 'remove-override'; readonly select: string }
  | { readonly kind: 'backend'; readonly backend: BackendId }
  /** Of the whole model; for one layer it is an `override`. */
  | { readonly kind: 'observer'; readonly observer: ObserverId; readonly percentile?: number }
  | { readonly kind: 'weights'; readonly granularity: 'per-channel' | 'per-tensor' }
  | { readonly kind: 'activations'; readonly type: ActivationType }
  | { readonly kind: 'bias-correction'; readonly enabled: boolean }
  | { readonly kind: 'equalize'; readonly enabled: boolean }
  | { readonly kind: 'smooth'; readonly strength: number }
  /** Adds the name of a Concat to those whose readers are split. */
  | { readonly kind: 'split'; readonly concat: string }
  /** Adds the path of a PyTorch module to those that an equal one takes the place of. */
  | { readonly kind: 'twin'; readonly module: string }
  /** Adds paths of PyTorch modules to those that a trace does not open. */
  | { readonly kind: 'leaves'; readonly modules: readonly string[] }
  | { readonly kind: 'mode'; readonly mode: Mode | TorchMode }
  | { readonly kind: 'opset'; readonly opset: 'auto' | number }
  /** The whole block. */
  | { readonly kind: 'preprocess'; readonly preprocess: Preprocess };

export const FIX_KINDS = [
  'exclude-layer',
  'exclude-op',
  'exclude-scope',
  'include-layer',
  'layer-mode',
  'mode',
  'backend',
  'observer',
  'layer-observer',
  'per-channel',
  'activations-16',
  'reduce-range',
  'bias-correction',
  'equalize',
  'smooth',
  'split-concat',
  'twin',
  'raise-opset',
  'preprocess',
] as const;
/** Stable: appears in diagnostics, logs and tests. */
export type FixKind = (typeof FIX_KINDS)[number];

export interface Fix {
  readonly kind: FixKind;
  /** An imperative of a few words: `Keep "conv1" in float`. */
  readonly title: string;
  /** One sentence: what it does and what it costs, as far as it is known without trying. */
  readonly detail: string;
  readonly change: RecipeChange;
  /** The one to try first. */
  readonly preferred: boolean;
}

/** A fix that has not been ranked among others yet. */
export type Suggestion = Omit<Fix, 'preferred'>;

/** The same for two changes that do the same, whatever reason they give. */
export function changeKey(change: RecipeChange): string {
  return JSON.stringify(change, (key, value: unknown) => (key === 'because' ? undefined : value));
}
