/** What the installed extension adds to menus and palettes, as a user finds it. */

import * as assert from 'node:assert/strict';
import { test } from 'node:test';
import manifest from '../../../package.json';
import { useVscode } from '../support/session';

const vscode = useVscode();

const titles = new Map(manifest.contributes.commands.map(({ command, title }) => [command, title]));

test('a model has a Quantscope menu in the explorer', async () => {
  const window = await vscode.open({ folder: vscode.sample() });
  const model = await window.explorerRow('shapes.onnx');
  const analyses = ['quantize', 'inspect', 'openLayerView', 'findCulprits', 'tune'];
  const expected = [...analyses, 'benchmark', 'benchmarkPair', 'openRecipe'];
  assert.deepEqual(
    await window.contextMenuItems(model, ['Quantscope']),
    expected.map((name) => titles.get(`quantscope.${name}`)),
  );
  const other = await window.contextMenuItems(await window.explorerRow('classes.txt'));
  assert.ok(other.includes('Copy Path'), other.join());
  assert.ok(!other.includes('Quantscope'), 'a text file has no such menu');
});

test('an untrusted workspace offers nothing that runs a model', async () => {
  const window = await vscode.open({ folder: vscode.sample(), trusted: false });
  await window.statusItem('Restricted Mode').waitFor();
  const offered = await window.paletteTitles('Quantscope: ');
  for (const name of ['quantize', 'inspect', 'benchmark', 'benchmarkPair']) {
    assert.ok(!offered.includes(`Quantscope: ${titles.get(`quantscope.${name}`) ?? ''}`), name);
  }
  assert.ok(offered.includes('Quantscope: Open Recipe'), offered.join());
});

test('every kind of theme can be drawn', async () => {
  const window = await vscode.open({ theme: 'light' });
  const kind = window.page.locator('.monaco-workbench');
  assert.match((await kind.getAttribute('class')) ?? '', /\bvs\b/);
  for (const theme of ['hc-dark', 'hc-light', 'dark', 'light'] as const) await window.setTheme(theme);
});
