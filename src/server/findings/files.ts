/** Files that a recipe names, or would have to. */

import { spanAt } from '../recipeText';
import type { Analysis } from '../analysis';
import { SYNTHETIC } from '../facts';
import { keySpan, type Span } from '../recipeText';
import { quoted, type Finding } from './finding';

export function fileFindings(analysis: Analysis): Finding[] {
  return [...modelFindings(analysis), ...dataFindings(analysis), ...neededFindings(analysis)];
}

function modelFindings(analysis: Analysis): Finding[] {
  const { model } = analysis.facts;
  const span = spanAt(analysis, ['model']);
  if (model?.state === 'missing')
    return [{ code: 'model-missing', span, message: `There is no model ${quoted(model.file)}.` }];
  if (model?.state === 'unreadable')
    return [{ code: 'model-unreadable', span, message: model.problem ?? 'The model cannot be read.' }];
  return [];
}

function dataFindings(analysis: Analysis): Finding[] {
  const { calibration, validate, framework, torch } = analysis.recipe;
  return [
    ...sourceFindings(analysis, ['calibration', 'data'], calibration?.data),
    ...sourceFindings(analysis, ['validate', 'data'], validate?.data),
    ...sourceFindings(analysis, ['validate', 'labels'], validate?.labels),
    ...(framework === 'torch' ? sourceFindings(analysis, ['torch', 'weights'], torch?.weights) : []),
  ];
}

function sourceFindings(
  analysis: Analysis,
  path: readonly string[],
  value: string | readonly string[] | undefined,
): Finding[] {
  const sources = typeof value === 'string' ? [value] : (value ?? []);
  return sources.flatMap((source, index): Finding[] => {
    const span = spanAt(analysis, typeof value === 'string' ? path : [...path, index]);
    if (source === SYNTHETIC && path[1] === 'data') {
      const message = 'Synthetic data gives the ranges of random numbers; use it only to try things out.';
      return [{ code: 'synthetic-data', span, message }];
    }
    const state = analysis.facts.paths.get(source);
    if (state === 'empty')
      return [{ code: 'data-missing', span, message: `The folder ${quoted(source)} holds no file.` }];
    if (state !== 'missing') return [];
    const what = path[1] === 'data' ? 'file or folder' : 'file';
    return [{ code: 'data-missing', span, message: `There is no ${what} ${quoted(source)} beside the recipe.` }];
  });
}

function neededFindings(analysis: Analysis): Finding[] {
  const { recipe, examined } = analysis;
  // Without the whole there is no telling what is missing.
  if (examined?.recipe === undefined) return [];
  const found: Finding[] = [];
  const isTorch = recipe.framework === 'torch';
  const modes = [recipe.mode ?? 'static', ...(recipe.layers ?? []).map(({ mode }) => mode)];
  if ((isTorch || modes.includes('static')) && recipe.calibration === undefined) {
    const message = isTorch
      ? 'A PyTorch model is traced and compared on `calibration` with `data`, and the recipe has none.'
      : 'Static quantization needs `calibration` with `data`, and the recipe has none.';
    const span: Span = recipe.mode === undefined ? keySpan(analysis, [], 'model') : spanAt(analysis, ['mode']);
    found.push({ code: 'calibration-missing', span, message });
  }
  if (recipe.gates?.['max-accuracy-drop'] !== undefined && recipe.validate?.labels === undefined) {
    const message = '`max-accuracy-drop` needs `validate` with `data` and `labels`; without, the gate always fails.';
    found.push({ code: 'labels-missing', span: keySpan(analysis, ['gates'], 'max-accuracy-drop'), message });
  }
  return found;
}
