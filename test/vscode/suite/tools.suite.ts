/** The language-model tools, called as an agent of this VS Code calls them. */

import * as assert from 'node:assert/strict';
import { after, before, describe, it } from 'mocha';
import * as vscode from 'vscode';
import manifest from '../../../package.json';
import { callTool, hasTools, toolNames } from './modelTools';

const RECIPE = 'shapes.quant.yaml';
const BAD_LAYER = '/stage2/0/depthwise/Conv';
/** Calibration and kernels on a busy machine. */
const RUN_MS = 120_000;

const folder = (): vscode.Uri => vscode.workspace.workspaceFolders![0]!.uri;
const recipe = (): vscode.Uri => vscode.Uri.joinPath(folder(), RECIPE);

async function textOf(uri: vscode.Uri): Promise<string> {
  return new TextDecoder().decode(await vscode.workspace.fs.readFile(uri));
}

(hasTools ? describe : describe.skip)('tools for agents', function () {
  this.timeout(RUN_MS);
  let original = '';

  before(async () => {
    original = await textOf(recipe());
    await vscode.extensions.getExtension(`${manifest.publisher}.${manifest.name}`)?.activate();
  });
  after(async () => {
    await vscode.commands.executeCommand('workbench.action.closeAllEditors');
    await vscode.workspace.fs.writeFile(recipe(), new TextEncoder().encode(original));
    await vscode.workspace.fs.delete(vscode.Uri.joinPath(folder(), 'shapes.quant'), { recursive: true });
  });

  it('are those that the manifest declares', () => {
    const known = toolNames();
    const declared = manifest.contributes.languageModelTools.map(({ name }) => name);
    assert.equal(declared.length, 6);
    assert.deepEqual(
      declared.filter((name) => !known.has(name)),
      [],
    );
  });

  it('say what is missing before a run, and what is wrong with their arguments', async () => {
    const early = await callTool('list_layers', { report: RECIPE });
    assert.equal(early['code'], 'file-not-found');
    const wrong = await callTool('list_layers', { report: RECIPE, limit: 1000 });
    assert.equal(wrong['code'], 'usage');
  });

  it('quantize, list the layers page by page, and explain the worst', async () => {
    const ran = await callTool('run', { recipe: RECIPE });
    assert.ok('counts' in ran, JSON.stringify(ran));
    const first = await callTool('list_layers', { report: RECIPE, limit: 3 });
    const layers = first['layers'] as readonly { readonly name: string }[];
    assert.deepEqual([layers.length, layers[0]?.name, first['nextOffset']], [3, BAD_LAYER, 3]);
    // The same by the report, under its absolute path.
    assert.deepEqual(await callTool('list_layers', { report: ran['report'], limit: 3 }), first);
    const explained = await callTool('explain_layer', { report: RECIPE, layer: BAD_LAYER });
    assert.ok((explained['fixes'] as unknown[]).length > 0);
  });

  it('try fixes and time models without writing', async () => {
    const { fixes } = await callTool('try_fixes', { report: RECIPE, layer: BAD_LAYER, most: 1, samples: 10 });
    assert.match((fixes as readonly { readonly price: string }[])[0]?.price ?? '', / dB/);
    const { models: timed } = await callTool('benchmark', { models: ['shapes.onnx'], runs: 5 });
    assert.equal((timed as unknown[]).length, 1);
    assert.equal(await textOf(recipe()), original);
  });

  it('tune; the recipe changes only when told to, and undo takes it back', async () => {
    const editor = await vscode.window.showTextDocument(recipe());
    const goal = { recipe: RECIPE, minSqnr: 24, samples: 20 };
    const { best } = await callTool('tune', goal);
    assert.ok((best as { readonly changes: readonly unknown[] }).changes.length > 0);
    assert.equal(await textOf(recipe()), original);
    const { recipe: tuned } = await callTool('tune', { ...goal, write: true });
    assert.notEqual(tuned, original);
    assert.equal(await textOf(recipe()), tuned);
    await vscode.window.showTextDocument(editor.document);
    await vscode.commands.executeCommand('undo');
    assert.equal(editor.document.getText(), original);
  });

  it('run no code that a recipe names, whatever the workspace is trusted with', async () => {
    const file = vscode.Uri.joinPath(folder(), 'code.quant.yaml');
    const text = original.replace('data: images/calibration', 'data: data.js');
    await vscode.workspace.fs.writeFile(file, new TextEncoder().encode(text));
    const code = 'require("node:fs").writeFileSync(__dirname + "/ran", "");';
    await vscode.workspace.fs.writeFile(vscode.Uri.joinPath(folder(), 'data.js'), new TextEncoder().encode(code));
    try {
      const refused = await callTool('run', { recipe: 'code.quant.yaml' });
      assert.equal(refused['code'], 'data-untrusted', JSON.stringify(refused));
      await assert.rejects(async () => vscode.workspace.fs.stat(vscode.Uri.joinPath(folder(), 'ran')));
    } finally {
      await vscode.workspace.fs.delete(file);
      await vscode.workspace.fs.delete(vscode.Uri.joinPath(folder(), 'data.js'));
    }
  });
});
