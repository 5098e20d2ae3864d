/** Try the Sample: a copy of the embedded sample, which is opened. */

import * as vscode from 'vscode';
import type { Services } from '../services';

/** What it takes; the training script stays behind. */
const PARTS = ['README.md', 'classes.txt', 'images', 'shapes.quant.yaml', 'shapes.onnx'] as const;
const FOLDER = 'Quantscope Sample';

/** What a person has changed in an earlier copy stays. */
export async function trySample({ context }: Services): Promise<void> {
  const target = vscode.Uri.joinPath(context.globalStorageUri, FOLDER);
  await vscode.workspace.fs.createDirectory(target);
  // The model comes last: what it needs is there with it.
  for (const part of PARTS) {
    const [from, to] = [vscode.Uri.joinPath(context.extensionUri, 'samples', part), vscode.Uri.joinPath(target, part)];
    if (!(await exists(to))) await vscode.workspace.fs.copy(from, to, { overwrite: false });
  }
  const forceNewWindow = (vscode.workspace.workspaceFolders ?? []).length > 0;
  await vscode.commands.executeCommand('vscode.openFolder', target, { forceNewWindow });
}

async function exists(uri: vscode.Uri): Promise<boolean> {
  return vscode.workspace.fs.stat(uri).then(
    () => true,
    () => false,
  );
}
