/** What a recipe means for PyTorch: backend, engine, mode and the settings of every layer, checked before Python starts. */

import * as os from 'node:os';
import type { NodeOverride } from '../shared/selectors';
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
import { defaultTorchBackend } from '../shared/recipeValues';
import { engineMismatch } from '../shared/torchEngine';
import { installCommand } from './environment';
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
  /** What the recipe says, which a torch may no longer have. */
  readonly asked: TorchMode;
  readonly leaves: readonly string[];
  readonly global: LayerSettings;
}

/** @throws `backend-unknown`, `plan-impossible` for what PyTorch's int8 kernels do not have */
export function settingsOf(recipe: Recipe): Settings {
  const backend = torchBackend(recipe.backend ?? defaultTorchBackend(os.arch()));
  const mode = torchMode(recipe.mode ?? 'static');
  return {
    backend,
    engine: recipe.torch?.engine ?? backend,
    mode,
    asked: mode,
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

/**
 * What an interpreter makes of them: where torch.ao.quantization is gone, its heir takes the place of FX graph mode.
 * @throws `torch-missing` for a mode whose package is not there, `backend-unknown` for an engine that this torch lacks,
 * `plan-impossible` for what pt2e does not take
 */
export function settingsFor(settings: Settings, check: Check): Settings {
  const mode = settings.mode === 'static' && !check.fx ? 'pt2e' : settings.mode;
  if (mode !== 'pt2e') {
    checkMode(mode, check);
    checkEngine(settings, check);
    return settings;
  }
  checkExported(settings, check);
  return { ...settings, mode };
}

/** What mode pt2e needs, and does not take. */
function checkExported({ backend, leaves }: Settings, { torchao, executable }: Check): void {
  if (torchao === null) {
    throw new QuantscopeError('torch-missing', `\`mode: pt2e\` needs torchao, which ${executable} does not have.`, {
      hint: `Install it with \`${installCommand(executable, 'torchao')}\`, or use \`mode: static\`.`,
    });
  }
  if (backend === 'qnnpack') {
    throw new QuantscopeError('plan-impossible', "torchao has no quantizer for qnnpack: XNNPACK's is in ExecuTorch.", {
      hint: 'Name fbgemm, x86 or onednn as `backend`: torchao has one for x86.',
    });
  }
  if (leaves.length > 0) {
    throw new QuantscopeError(
      'plan-impossible',
      '`mode: pt2e` takes no `torch.leaves`: torch.export opens every module.',
      { hint: 'Keep their layers in float instead, with `quantize: false` under `layers`.' },
    );
  }
}

/** The engine to choose; the graph of pt2e needs none. */
export function engineToUse({ mode, engine }: Settings): TorchBackend | null {
  return mode === 'pt2e' ? null : engine;
}

function checkMode(mode: TorchMode, { fx, executable, torch }: Check): void {
  if (fx) return;
  const message = `torch ${torch ?? ''} no longer has torch.ao.quantization, which \`mode: ${mode}\` needs.`;
  throw new QuantscopeError('torch-missing', message, {
    hint: `Use \`mode: pt2e\`, or an earlier torch: \`${installCommand(executable, 'torch<=2.15')}\`.`,
  });
}

function checkEngine({ engine }: Settings, { engines, torch }: Check): void {
  if (engines.includes(engine)) return;
  throw new QuantscopeError('backend-unknown', `torch ${torch ?? ''} was built without the engine ${engine}.`, {
    hint: `It has ${engines.join(', ')}: name one of them as \`torch: { engine: … }\`, or as \`backend\`.`,
  });
}

/** What else than the recipe says was done, and why its backend and engine may not fit. */
export function settingsWarnings({ backend, engine, mode, asked }: Settings): string[] {
  if (mode !== asked) {
    return [
      `This torch no longer has torch.ao.quantization: instead of FX graph mode, prepare_pt2e of torchao quantized the model, as \`mode: ${mode}\` does.`,
    ];
  }
  if (mode === 'pt2e') return [];
  const mismatch = engineMismatch(backend, engine);
  return mismatch === undefined ? [] : [mismatch];
}
