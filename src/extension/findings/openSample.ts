/** Opens the file of a sample that a cause names. */

import * as vscode from 'vscode';
import { QuantscopeError } from '../../shared/errors';
import { printable } from '../../shared/format';
import type { Report } from '../../shared/report';
import type { ModelEntry } from '../results';
import { baseFolder } from './read';
import { sampleFiles } from './sampleFiles';

/** @throws `file-not-found` */
export async function openSample(entry: ModelEntry, report: Report, id: string | undefined): Promise<void> {
  const sources = report.recipe.calibration?.data ?? [];
  const base = baseFolder(entry, report);
  for (const path of id === undefined ? [] : sampleFiles(sources, base.path, id)) {
    const uri = base.with({ path });
    const found = await vscode.workspace.fs.stat(uri).then(
      ({ type }) => (type & vscode.FileType.File) !== 0,
      () => false,
    );
    if (!found) continue;
    await vscode.commands.executeCommand('vscode.open', uri, { viewColumn: vscode.ViewColumn.Beside, preview: true });
    return;
  }
  throw new QuantscopeError('file-not-found', `The sample ${printable(id ?? '')} is no longer where it was.`);
}
