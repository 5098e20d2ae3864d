import * as path from 'node:path';
import { readRecipe } from '../../core/recipeFile';
import { printable } from '../../shared/format';
import { agreementText, type OnnxExport, type OnnxExportInput } from '../../shared/onnxExport';
import { frameworkOf } from '../../shared/resultsSuffix';
import { defineCommand } from '../command';
import { commandLine, fileArgument } from '../shell';
import type { Style } from '../style';
import { pathFrom, warningLines } from '../summary';
import { facts } from '../table';
import { jobOptions, toJobOptions } from './shared';

export const exportToOnnx = defineCommand({
  name: 'export',
  summary: 'A PyTorch model as ONNX, NAME.fp32.onnx, with the recipe that quantizes it there.',
  usage: 'RECIPE|MODEL [--trust] [--json]',
  positional: {
    placeholder: 'RECIPE',
    help: 'The recipe of a PyTorch model, or the model itself, `file.py:function`.',
  },
  options: { threads: jobOptions.threads, trust: jobOptions.trust },
  run: async ({ files: [named], values }, { cwd, run }) => {
    const input = await inputOf(named, cwd);
    const made = await run('exportOnnx', input, toJobOptions(values));
    return { json: made, text: (style) => exportText(made, cwd, style) };
  },
});

/** A model's own folder is where its recipe would be. */
async function inputOf(named: string, cwd: string): Promise<OnnxExportInput> {
  const file = path.resolve(cwd, named);
  const baseDir = path.dirname(file);
  if (/\.ya?ml$/i.test(named)) return { recipe: (await readRecipe(file)).recipe, baseDir };
  return { recipe: { framework: frameworkOf(named), model: path.basename(file) }, baseDir };
}

function exportText(made: OnnxExport, cwd: string, style: Style): string {
  const recipe = pathFrom(cwd, made.recipe);
  const figures = facts(
    [
      ['model', pathFrom(cwd, made.model)],
      ['recipe', recipe],
      ['agreement', `${printable(agreementText(made))}, onnxruntime against PyTorch`],
      ['next', commandLine('run', fileArgument(recipe))],
    ],
    style,
  );
  return [warningLines(made.warnings, style), figures].filter((part) => part !== '').join('\n\n');
}
