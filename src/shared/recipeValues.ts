/** What a recipe may say, for those that cannot afford the schema: its library is larger than the extension. */

import type { BackendId, Recipe } from './recipe';

export const OBSERVERS = ['min-max', 'moving-average', 'percentile', 'entropy', 'mse'] as const;
export type ObserverId = (typeof OBSERVERS)[number];

/** Levels worth trying of the percentile observer: one value in 100,000, 10,000 and 1,000 is left out. */
export const PERCENTILES = [99.999, 99.99, 99.9] as const;

/** Strengths of smoothing worth trying: that of the paper, and one for harder outliers (Xiao et al. 2023, §5). */
export const SMOOTHING = [0.5, 0.75] as const;

/** Those of PyTorch: a qconfig, and the engine that runs it. */
export const TORCH_BACKENDS = ['fbgemm', 'x86', 'onednn', 'qnnpack'] as const satisfies readonly BackendId[];
export type TorchBackend = (typeof TORCH_BACKENDS)[number];

export const MODES = ['static', 'dynamic', 'weight-only'] as const;
export type Mode = (typeof MODES)[number];

/** Of PyTorch: `static` is FX graph mode, `eager` the model's own stubs, `qat` FX with training, `pt2e` torch.export with torchao. */
export const TORCH_MODES = ['static', 'dynamic', 'eager', 'qat', 'pt2e'] as const;
export type TorchMode = (typeof TORCH_MODES)[number];

/** The one for the CPU of this architecture, as Node names it. */
export function defaultTorchBackend(arch: string): TorchBackend {
  return arch === 'arm64' ? 'qnnpack' : 'fbgemm';
}

/** The recipe's `weights` may be a bare type; this is the long form. */
export function weightOverride(value: Recipe['weights']): Exclude<NonNullable<Recipe['weights']>, string> {
  return typeof value === 'string' ? { type: value } : (value ?? {});
}
