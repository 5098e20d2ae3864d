/** What a recipe asks for that PyTorch does not have, and of an ONNX recipe what only PyTorch has. */

import { engineMismatch } from '../../shared/torchEngine';
import { MODES, TORCH_BACKENDS, TORCH_MODES, type BackendId, type TorchBackend } from '../../shared/recipe';
import type { Analysis } from '../analysis';
import { keySpan, spanAt } from '../recipeText';
import type { Finding, Repair } from './finding';

/** Keys of the whole recipe that PyTorch's kernels leave no choice for, or that its graphs do not have. */
const UNUSED = ['normalize', 'format', 'isa'] as const;

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
  const { backend, torch } = analysis.recipe;
  if (backend === undefined) return [];
  const span = spanAt(analysis, ['backend']);
  if (!isTorchBackend(backend)) {
    const message = `"${backend}" is no backend of PyTorch, which has ${TORCH_BACKENDS.join(', ')}.`;
    const repairs = TORCH_BACKENDS.map((known): Repair => {
      return { title: `Use the backend ${known}`, change: { kind: 'backend', backend: known } };
    });
    return [{ code: 'plan-impossible', span, message, repairs }];
  }
  const engine = torch?.engine;
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
  const trains = (['train', 'epochs', 'learning-rate'] as const).filter((key) => recipe.torch?.[key] !== undefined);
  if (recipe.mode === 'qat') return found;
  const idle = trains.map((key): Finding => {
    const message = `\`${key}\` has no effect: only \`mode: qat\` trains.`;
    return { code: 'setting-unused', span: keySpan(analysis, ['torch'], key), message };
  });
  return [...found, ...idle];
}
