/** Export to ONNX: the fp32 model of PyTorch as a file, and its recipe, which is opened. */

import * as vscode from 'vscode';
import { QuantscopeError } from '../../shared/errors';
import { agreementText, type OnnxExport } from '../../shared/onnxExport';
import { showFailure } from '../failures';
import type { ModelEntry } from '../results';
import type { Services } from '../services';
import { baseName, mayRun } from '../targets';
import { torchRecipeOf } from './torchWizard';

/** @throws `usage` for an ONNX model */
export async function exportOnnx(services: Services, entry: ModelEntry): Promise<void> {
  const { jobs, engine, results, log } = services;
  if (entry.framework === 'onnx') {
    throw new QuantscopeError('usage', `${entry.name} is an ONNX model already.`, { hint: 'Quantize it as it is.' });
  }
  if (!(await mayRun(entry))) return;
  try {
    const found = await torchRecipeOf(entry);
    if (found === undefined) return;
    const input = { recipe: found.recipe, baseDir: found.baseDir.fsPath };
    const made = await jobs.run({ title: 'Exporting', entry }, (context) =>
      engine.request('exportOnnx', input, context),
    );
    for (const warning of made.warnings) log.warn(warning);
    results.refresh();
    const recipe = vscode.Uri.file(made.recipe);
    await vscode.window.showTextDocument(recipe, { preview: false });
    void showExport(made, recipe);
  } catch (error) {
    void showFailure(error, entry.hasRecipe ? entry.recipe : undefined);
  }
}

const QUANTIZE = 'Quantize';
const SHOW_LOG = 'Show Log';

async function showExport(made: OnnxExport, recipe: vscode.Uri): Promise<void> {
  const [warning, ...more] = made.warnings;
  const sentences = [
    `${baseName(vscode.Uri.file(made.model))} is written. Agreement with PyTorch: ${agreementText(made)}.`,
    ...(warning === undefined ? [] : [warning]),
    ...(more.length === 0
      ? []
      : [`${more.length === 1 ? 'One more warning is' : `${more.length} more warnings are`} in the log.`]),
  ];
  const show = warning === undefined ? vscode.window.showInformationMessage : vscode.window.showWarningMessage;
  const chosen = await show(sentences.join(' '), QUANTIZE, ...(more.length === 0 ? [] : [SHOW_LOG]));
  if (chosen === QUANTIZE) await vscode.commands.executeCommand('quantscope.quantize', recipe);
  if (chosen === SHOW_LOG) await vscode.commands.executeCommand('quantscope.showLog');
}
