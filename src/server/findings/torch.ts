/** What a recipe asks for that PyTorch does not have, and of an ONNX recipe what only PyTorch has. */

import { engineMismatch } from '../../shared/torchEngine';
import {
  MODES,
  TORCH_BACKENDS,
  TORCH_MODES,
  type BackendId,
  type Recipe,
  type TorchBackend,
} from '../../shared/recipe';
import type { Analysis } from '../analysis';
import { keySpan, spanAt } from '../recipeText';
import type { Finding, Repair } from './finding';

/** Keys of the whole recipe that PyTorch's kernels leave no choice for, or that its graphs do not have. */
const UNUSED = ['normalize', 'format', 'isa'] as const;

interface Idle {
  readonly key: keyof NonNullable<Recipe['torch']>;
  /** Which modes it has an effect in. */
  readonly has: (mode: NonNullable<Recipe['mode']>) => boolean;
  readonly why: string;
}

const IDLE: readonly Idle[] = [
  ...(['train', 'epochs', 'learning-rate'] as const).map((key): Idle => {
    return { key, has: (mode) => mode === 'qat', why: 'only `mode: qat` trains' };
  }),
  {
    key: 'engine',
    has: (mode) => mode !== 'pt2e',
    why: 'the graph of `mode: pt2e` is lowered to the kernels of oneDNN',
  },
];

export function torchFindings(analysis: Analysis): Finding[] {
  const { recipe } = analysis;
  if (recipe.framework !== 'torch') return onnxFindings(analysis);
  return [...backendFindings(analysis), ...modeFindings(analysis, TORCH_MODES, 'PyTorch'), ...unusedFindings(analysis)];
}

function onnxFindings(analysis: Analysis): Finding[] {
  const found = modeFindings(analysis, MODES, 'ONNX');
  if (analysis.recipe.torch === undefined) return found;
  const message = '`torch` has no effect: the recipe is not one of `framework: torch`.';
  return [...found, { code: 'setting-unused', span: keySpan(analysis, [], 'torch'), message }];
}

function isTorchBackend(backend: BackendId): backend is TorchBackend {
  return TORCH_BACKENDS.some((known) => known === backend);
}

function backendFindings(analysis: Analysis): Finding[] {
  const { backend, mode, torch } = analysis.recipe;
  if (backend === undefined) return [];
  const span = spanAt(analysis, ['backend']);
  if (!isTorchBackend(backend)) {
    const message = `"${backend}" is no backend of PyTorch, which has ${TORCH_BACKENDS.join(', ')}.`;
    const repairs = TORCH_BACKENDS.map((known): Repair => {
      return { title: `Use the backend ${known}`, change: { kind: 'backend', backend: known } };
    });
    return [{ code: 'plan-impossible', span, message, repairs }];
  }
  const engine = mode === 'pt2e' ? undefined : torch?.engine;
  const mismatch = engine === undefined ? undefined : engineMismatch(backend, engine);
  if (engine === undefined || mismatch === undefined) return [];
  const at = spanAt(analysis, ['torch', 'engine']);
  return [
    {
      code: 'backend-contradiction',
      span: at,
      message: mismatch,
      repairs: [
        { title: `Use the settings of ${engine}`, change: { kind: 'backend', backend: engine } },
        { title: `Run on the engine ${backend}`, edits: [{ ...at, text: backend }] },
      ],
    },
  ];
}

function modeFindings(analysis: Analysis, modes: readonly string[], framework: string): Finding[] {
  const { mode } = analysis.recipe;
  if (mode === undefined || modes.includes(mode)) return [];
  const span = spanAt(analysis, ['mode']);
  const message = `${framework} has no \`mode: ${mode}\`; it has ${modes.join(', ')}.`;
  const repairs = modes.map((known): Repair => ({ title: `Use mode ${known}`, edits: [{ ...span, text: known }] }));
  return [{ code: 'plan-impossible', span, message, repairs }];
}

function unusedFindings(analysis: Analysis): Finding[] {
  const { recipe } = analysis;
  const found = UNUSED.filter((key) => recipe[key] !== undefined).map((key): Finding => {
    const message = `\`${key}\` has no effect: it is for ONNX models.`;
    return { code: 'setting-unused', span: keySpan(analysis, [], key), message };
  });
  const idle = IDLE.filter(({ key, has }) => recipe.torch?.[key] !== undefined && !has(recipe.mode ?? 'static'));
  const ofTorch = idle.map(({ key, why }): Finding => {
    const message = `\`${key}\` has no effect: ${why}.`;
    return { code: 'setting-unused', span: keySpan(analysis, ['torch'], key), message };
  });
  const ofLayers = analysis.entries.flatMap(({ index, override }): Finding[] => {
    if (override?.mode === undefined) return [];
    const message = '`mode` of single layers has no effect: it is for ONNX models.';
    return [{ code: 'setting-unused', span: keySpan(analysis, ['layers', index], 'mode'), message }];
  });
  return [...found, ...ofTorch, ...ofLayers];
}
