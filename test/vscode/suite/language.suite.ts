/** What the language server brings to a recipe in this VS Code; what it says in general is tested without one. */

import * as assert from 'node:assert/strict';
import { after, before, describe, it } from 'mocha';
import * as vscode from 'vscode';
import { eventually } from '../support/eventually';

const TEXT = `model: shapes.onnx
backend: ort-cpu
mode: static
calibration: { data: images/calibration, samples: 200, observer: min-max }
preprocess: tf
layers:
  - select: /stage2/0/depthwise/Convv
    quantize: false
  - select: op:Conv
    quantize: true
colour: red
`;

const uri = (): vscode.Uri => vscode.Uri.joinPath(vscode.workspace.workspaceFolders![0]!.uri, 'language.quant.yaml');
const line = (text: string): number => TEXT.split('\n').findIndex((each) => each.includes(text));

/** The answer of a provider, asked again until there is one: the server looks the model up meanwhile. */
function ask<T>(command: string, accept: (found: readonly T[]) => boolean, ...args: unknown[]): Promise<readonly T[]> {
  return eventually(
    async () => (await vscode.commands.executeCommand<readonly T[] | undefined>(command, uri(), ...args)) ?? [],
    accept,
  );
}

const codeOf = ({ code }: vscode.Diagnostic): string =>
  typeof code === 'object' ? String(code.value) : String(code ?? '');

describe('a recipe in the editor', () => {
  before(async () => {
    await vscode.workspace.fs.writeFile(uri(), new TextEncoder().encode(TEXT));
    await vscode.window.showTextDocument(uri());
  });
  after(async () => {
    await vscode.commands.executeCommand('workbench.action.closeAllEditors');
    await vscode.workspace.fs.delete(uri());
  });

  it('has problems with a code and its page', async () => {
    const found = await eventually(
      () => vscode.languages.getDiagnostics(uri()),
      (all) => ['unknown-key', 'selector-unmatched'].every((code) => all.some((each) => codeOf(each) === code)),
    );
    const unmatched = found.find((each) => codeOf(each) === 'selector-unmatched');
    assert.equal(unmatched?.range.start.line, line('Convv'));
    assert.ok(typeof unmatched.code === 'object' && 'target' in unmatched.code);
    assert.match(unmatched.code.target.toString(), /diagnostics\.md#selector-unmatched$/);
  });

  it('offers the layer that was meant, as an edit', async () => {
    const at = new vscode.Range(line('Convv'), 15, line('Convv'), 15);
    const found = await ask<vscode.CodeAction>(
      'vscode.executeCodeActionProvider',
      (all) => all.some(({ title }) => title.includes('/stage2/0/depthwise/Conv')),
      at,
    );
    const meant = found.find(({ title }) => title.includes('/stage2/0/depthwise/Conv'));
    const [, edits] = meant?.edit?.entries()[0] ?? [];
    assert.ok(
      edits?.some((edit) => 'newText' in edit && edit.newText.includes('/stage2/0/depthwise/Conv')),
      JSON.stringify(found),
    );
  });

  it('completes layers, tells what a key means, and how many layers a rule selects', async () => {
    const { items } = await eventually(
      async () =>
        await vscode.commands.executeCommand<vscode.CompletionList>(
          'vscode.executeCompletionItemProvider',
          uri(),
          new vscode.Position(line('op:Conv'), '  - select: '.length),
        ),
      (list) => list.items.some(({ label }) => JSON.stringify(label).includes('/stage1/0/depthwise/Conv')),
    );
    assert.ok(items.length > 10);
    const [hover] = await ask<vscode.Hover>(
      'vscode.executeHoverProvider',
      (all) => all.length > 0,
      new vscode.Position(line('backend'), 3),
    );
    const said = (hover?.contents ?? [])
      .map((part) => (part instanceof vscode.MarkdownString ? part.value : ''))
      .join('\n');
    assert.match(said, /int8/);
    const hints = await ask<vscode.InlayHint>(
      'vscode.executeInlayHintProvider',
      (all) => all.length > 0,
      new vscode.Range(0, 0, TEXT.split('\n').length, 0),
    );
    assert.ok(
      hints.some(({ position, label }) => position.line === line('op:Conv') && /\d+ /.test(JSON.stringify(label))),
      JSON.stringify(hints),
    );
  });

  it('has its commands above the first line', async () => {
    const lenses = await ask<vscode.CodeLens>('vscode.executeCodeLensProvider', (all) => all.length > 0, 20);
    assert.deepEqual(
      lenses.map(({ command }) => command?.title),
      ['$(play) Run', '$(target) Tune…'],
      'before the first run',
    );
  });
});
