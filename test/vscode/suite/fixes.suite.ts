/** A fix is one edit of the recipe: comments survive, undo takes it back. */

import * as assert from 'node:assert/strict';
import { after, before, describe, it } from 'mocha';
import * as vscode from 'vscode';

const folder = (): vscode.Uri => vscode.workspace.workspaceFolders![0]!.uri;
const change = { kind: 'override', override: { select: '/stage2/0/depthwise/Conv', quantize: false } } as const;

async function textOf(uri: vscode.Uri): Promise<string> {
  return new TextDecoder().decode(await vscode.workspace.fs.readFile(uri));
}

describe('a fix of the recipe', () => {
  const recipe = (): vscode.Uri => vscode.Uri.joinPath(folder(), 'shapes.quant.yaml');
  let original = '';

  before(async () => {
    await vscode.workspace.getConfiguration('quantscope').update('runAfterFix', 'never', true);
    original = await textOf(recipe());
  });
  after(async () => {
    await vscode.commands.executeCommand('workbench.action.closeAllEditors');
    await vscode.workspace.fs.writeFile(recipe(), new TextEncoder().encode(original));
  });

  it('is saved, keeps every comment, and is undone in one step', async () => {
    const editor = await vscode.window.showTextDocument(recipe());
    assert.equal(await vscode.commands.executeCommand('quantscope.applyFix', recipe(), change), true);
    const fixed = await textOf(recipe());
    assert.match(fixed, /^layers:\n {2}- select: \/stage2\/0\/depthwise\/Conv\n {4}quantize: false$/m);
    const comments = original.match(/#.*$/gm) ?? [];
    assert.ok(comments.length > 5);
    for (const comment of comments) assert.ok(fixed.includes(comment), comment);
    await vscode.commands.executeCommand('undo');
    assert.equal(editor.document.getText(), original);
  });

  it('that is made already changes nothing', async () => {
    await vscode.window.showTextDocument(recipe());
    const before = await textOf(recipe());
    const backend = { kind: 'backend', backend: 'ort-cpu' } as const;
    assert.equal(await vscode.commands.executeCommand('quantscope.applyFix', recipe(), backend), false);
    assert.equal(await textOf(recipe()), before);
  });

  it('of a model without a recipe writes one', async () => {
    const model = vscode.Uri.joinPath(folder(), 'other/plain.onnx');
    await vscode.workspace.fs.copy(vscode.Uri.joinPath(folder(), 'shapes.onnx'), model);
    assert.equal(await vscode.commands.executeCommand('quantscope.applyFix', model, change), true);
    const text = await textOf(vscode.Uri.joinPath(folder(), 'other/plain.quant.yaml'));
    assert.match(text, /^model: plain\.onnx\n/);
    assert.match(text, /select: \/stage2\/0\/depthwise\/Conv/);
    await vscode.workspace.fs.delete(vscode.Uri.joinPath(folder(), 'other'), { recursive: true });
  });
});
