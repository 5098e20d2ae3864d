/** Opens the line of Python that builds or calls a layer. */

import * as vscode from 'vscode';
import { QuantscopeError } from '../../shared/errors';
import type { SourceLine } from '../../shared/report';
import { findLine } from './sourceProblems';

/** @throws `file-not-found` */
export async function goToSource(place: SourceLine): Promise<void> {
  const uri = vscode.Uri.file(place.file);
  const document = await vscode.workspace.openTextDocument(uri).then(undefined, (cause: unknown) => {
    throw new QuantscopeError('file-not-found', `${place.file} cannot be read.`, { cause });
  });
  const lines = document.getText().split(/\r?\n/);
  const line = findLine(lines, place) ?? Math.min(place.line, lines.length) - 1;
  const text = lines[line] ?? '';
  const start = text.length - text.trimStart().length;
  const selection = new vscode.Range(line, start, line, text.trimEnd().length);
  await vscode.window.showTextDocument(document, { selection, viewColumn: columnFor(uri) });
}

/** Where the file is shown already, else beside what asks for it, so that both can be seen. */
function columnFor(uri: vscode.Uri): vscode.ViewColumn {
  for (const group of vscode.window.tabGroups.all) {
    const shown = group.tabs.some(
      ({ input }) => input instanceof vscode.TabInputText && input.uri.toString() === uri.toString(),
    );
    if (shown) return group.viewColumn;
  }
  const inText = vscode.window.tabGroups.activeTabGroup.activeTab?.input instanceof vscode.TabInputText;
  const isEmpty = vscode.window.tabGroups.activeTabGroup.tabs.length === 0;
  return inText || isEmpty ? vscode.ViewColumn.Active : vscode.ViewColumn.Beside;
}
