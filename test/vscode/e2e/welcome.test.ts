/** What the views say where they have nothing to show: each says what to do next, and does it. */

import * as assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually } from '../support/eventually';
import { useVscode } from '../support/session';
import { plain } from '../support/text';
import type { Workbench } from '../support/workbench';

const vscode = useVscode();

interface Welcome {
  readonly text: string;
  readonly buttons: readonly string[];
}

/** Once it says what is expected. */
async function welcome(window: Workbench, view: string, expected: RegExp): Promise<Welcome> {
  const content = window.view(view).locator('.welcome-view-content');
  const text = await eventually(async () => plain(await content.innerText()), RegExp.prototype.test.bind(expected));
  return { text, buttons: (await content.locator('.monaco-button').allInnerTexts()).map(plain) };
}

test('an empty window leads to a folder or to the sample, which opens', async () => {
  const window = await vscode.open();
  await window.showContainer('Quantscope');
  const models = await welcome(window, 'Models', /Open a folder that holds an ONNX model/);
  assert.deepEqual(models.buttons, ['Open Folder']);
  assert.deepEqual((await welcome(window, 'Layers', /appear here/)).buttons, ['Try the Sample']);
  await welcome(window, 'Runs', /Every quantization is kept here/);

  await window.view('Models').locator('.welcome-view-content a', { hasText: 'try the sample' }).click();
  // The window shows the copy: model, recipe and images.
  for (const file of ['shapes.onnx', 'shapes.quant.yaml', 'images']) await window.explorerRow(file);
  await window.showContainer('Quantscope');
  await window.treeRow('Models', 'shapes.onnx').waitFor();
  await window.close();
});

/** What the window that is opened meanwhile shows, which takes the place of none. */
async function openedBeside(window: Workbench, open: () => Promise<void>): Promise<void> {
  const before = await window.page.title();
  const [beside] = await Promise.all([window.page.context().waitForEvent('page'), open()]);
  const files = beside.locator('.explorer-folders-view .monaco-list-row');
  for (const name of ['shapes.onnx', 'shapes.quant.yaml', 'images']) {
    await files.filter({ has: beside.getByText(name, { exact: true }) }).waitFor({ timeout: 90_000 });
  }
  assert.equal(await window.page.title(), before, 'the window with the folder stays');
  await beside.close();
}

test('the sample opens in a window of its own where a folder is open, by the command and by the walkthrough', async () => {
  const window = await vscode.open({ folder: vscode.workspace({ 'notes.txt': 'mine\n' }) });
  await window.explorerRow('notes.txt');
  await openedBeside(window, () => window.runCommand('Quantscope: Try the Sample'));
  await window.runCommand('Welcome: Open Walkthrough...');
  await window.pick(/Quantize Your First Model/);
  const button = window.page.locator('.getting-started-step .monaco-button', { hasText: 'Try the Sample' });
  await openedBeside(window, () => button.click());
  await window.explorerRow('notes.txt');
  await window.close();
});

test('a folder without a model offers the sample', async () => {
  const window = await vscode.open({ folder: vscode.workspace({ 'notes.txt': 'no model\n' }) });
  await window.showContainer('Quantscope');
  assert.deepEqual((await welcome(window, 'Models', /No ONNX model and no recipe was found/)).buttons, [
    'Try the Sample',
  ]);
  await window.close();
});

test('a model without a run is quantized or inspected from the empty tree of layers', async () => {
  const window = await vscode.open({ folder: vscode.sample() });
  await window.showContainer('Quantscope');
  const { buttons } = await welcome(window, 'Layers', /its layers appear here/);
  assert.deepEqual(buttons, ['Quantize…', 'Inspect Layers']);
  await window.view('Layers').locator('.welcome-view-content .monaco-button', { hasText: 'Inspect Layers' }).click();
  const rows = await eventually(
    () => window.treeRows('Layers'),
    (found) => found.length > 5,
  );
  assert.equal(rows[0]?.label, 'stem/conv/Conv');
  await window.view('Layers').getByText('Planned, not measured').waitFor();
  await window.close();
});

test('a restricted workspace lists its models, and leads to the trust that running them needs', async () => {
  const window = await vscode.open({ folder: vscode.sample(), trusted: false });
  await window.showContainer('Quantscope');
  await window.treeRow('Models', 'shapes.onnx').waitFor();
  const { buttons } = await welcome(window, 'Layers', /restricted workspace/);
  assert.deepEqual(buttons, ['Manage Workspace Trust']);
  await window.view('Layers').locator('.welcome-view-content .monaco-button').click();
  await window.page.getByRole('tab', { name: /Workspace Trust/ }).waitFor();
  await window.close();
});
