/** What a recipe means for PyTorch: backend, engine, mode and the settings of every layer, checked before Python starts. */

import * as os from 'node:os';
import type { NodeOverride } from '../core/plan/selectors';
import { QuantscopeError } from '../shared/errors';
import {
  activationOverride,
  TORCH_BACKENDS,
  TORCH_MODES,
  weightOverride,
  type BackendId,
  type ObserverId,
  type Recipe,
  type TorchBackend,
  type TorchMode,
} from '../shared/recipe';
import { engineMismatch } from '../shared/torchEngine';
import type { Check } from './protocol';

/** As the worker takes them; `null` stands for the default of torch. */
export interface LayerSettings {
  readonly quantize?: boolean;
  readonly observer?: ObserverId;
  readonly percentile?: number;
  readonly granularity?: 'per-channel' | 'per-tensor';
  readonly symmetric?: boolean;
  readonly reduceRange?: boolean;
}

export interface Settings {
  readonly backend: TorchBackend;
  readonly engine: TorchBackend;
  readonly mode: TorchMode;
  readonly leaves: readonly string[];
  readonly global: LayerSettings;
}

/** @throws `backend-unknown`, `plan-impossible` for what PyTorch's int8 kernels do not have */
export function settingsOf(recipe: Recipe): Settings {
  const backend = torchBackend(recipe.backend ?? (os.arch() === 'arm64' ? 'qnnpack' : 'fbgemm'));
  return {
    backend,
    engine: recipe.torch?.engine ?? backend,
    mode: torchMode(recipe.mode ?? 'static'),
    leaves: recipe.torch?.leaves ?? [],
    global: layerSettings({ ...recipe.calibration, activations: recipe.activations, weights: recipe.weights }),
  };
}

function torchBackend(backend: BackendId): TorchBackend {
  const found = TORCH_BACKENDS.find((known) => known === backend);
  if (found !== undefined) return found;
  const hint = `The backends of PyTorch are ${TORCH_BACKENDS.join(', ')}.`;
  throw new QuantscopeError('backend-unknown', `"${backend}" is no backend of PyTorch.`, { hint });
}

function torchMode(mode: NonNullable<Recipe['mode']>): TorchMode {
  const found = TORCH_MODES.find((known) => known === mode);
  if (found !== undefined) return found;
  throw new QuantscopeError('plan-impossible', `PyTorch has no \`mode: ${mode}\`; it has ${TORCH_MODES.join(', ')}.`);
}

type Source = Pick<Recipe, 'activations' | 'weights'> & {
  readonly observer?: ObserverId | undefined;
  readonly percentile?: number | undefined;
};

function layerSettings({ activations, weights, observer, percentile }: Source): LayerSettings {
  const activation = activationOverride(activations);
  const weight = weightOverride(weights);
  if (activation.type !== undefined && activation.type !== 'uint8') {
    throw new QuantscopeError('plan-impossible', `PyTorch's kernels take uint8 activations, not ${activation.type}.`);
  }
  if (activation.symmetric === true) {
    throw new QuantscopeError(
      'plan-impossible',
      "PyTorch's kernels take activations with any zero point: leave out `symmetric`.",
    );
  }
  if (weight.type === 'uint8' || weight.symmetric === false) {
    throw new QuantscopeError('plan-impossible', "PyTorch's kernels take symmetric int8 weights only.");
  }
  return {
    ...(observer === undefined ? {} : { observer }),
    ...(percentile === undefined ? {} : { percentile, observer: observer ?? 'percentile' }),
    ...(weight.granularity === undefined ? {} : { granularity: weight.granularity }),
    ...(weight.reduceRange === undefined ? {} : { reduceRange: weight.reduceRange }),
  };
}

export function overrideSettings({ quantize, ...rest }: NodeOverride): LayerSettings {
  return { ...layerSettings(rest), ...(quantize === undefined ? {} : { quantize }) };
}

/** @throws `backend-unknown` for an engine that this build of torch lacks */
export function checkEngine({ engine }: Settings, { engines, torch }: Check): void {
  if (engines.includes(engine)) return;
  throw new QuantscopeError('backend-unknown', `torch ${torch ?? ''} was built without the engine ${engine}.`, {
    hint: `It has ${engines.join(', ')}: name one of them as \`torch: { engine: … }\`, or as \`backend\`.`,
  });
}

/** Why the qconfig of one backend and the kernels of another may not fit; empty where they are the same. */
export function mismatchWarnings({ backend, engine }: Settings): string[] {
  const mismatch = engineMismatch(backend, engine);
  return mismatch === undefined ? [] : [mismatch];
}
