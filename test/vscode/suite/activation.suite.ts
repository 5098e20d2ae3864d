/** The extension as installed, asked through VS Code's own interface. */

import * as assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import * as path from 'node:path';
import { describe, it } from 'mocha';
import * as vscode from 'vscode';
import manifest from '../../../package.json';
import { eventually } from '../support/eventually';

const ID = `${manifest.publisher}.${manifest.name}`;

describe('the installed extension', () => {
  it('is found and becomes active', async () => {
    const extension = vscode.extensions.getExtension(ID);
    assert.ok(extension, `${ID} is not installed`);
    await extension.activate();
    assert.equal(extension.isActive, true);
    assert.equal((extension.packageJSON as { version: string }).version, manifest.version);
  });

  it('runs out of the extensions folder, not out of the checkout', () => {
    const folder = vscode.extensions.getExtension(ID)?.extensionPath ?? '';
    assert.match(folder, /quantscope\.quantscope-[\d.]+[^/\\]*$/);
  });

  it('has the sample as its workspace', async () => {
    const found = await vscode.workspace.findFiles('*.quant.yaml');
    assert.deepEqual(
      found.map((uri) => uri.path.split('/').at(-1)),
      ['shapes.quant.yaml'],
    );
  });

  it('registers every command that the manifest declares', async () => {
    const known = new Set(await vscode.commands.getCommands(true));
    const declared = manifest.contributes.commands.map(({ command }) => command);
    // What the layers tree registers is tested with it.
    assert.deepEqual(
      declared.filter((id) => !known.has(id) && !/\.layers\.|openLayerView/.test(id)),
      [],
    );
  });

  it('needs less than 50 ms to become active', async () => {
    await vscode.commands.executeCommand('perfview.show');
    const report = await eventually(
      () => vscode.workspace.textDocuments.find(({ uri }) => uri.scheme === 'perf')?.getText() ?? '',
      (text) => text.includes(`| ${ID} `),
    );
    // Extension | Eager | Load Code | Call Activate | Finish Activate
    const [, , , call, finish] = (new RegExp(`^\\| ${ID}.*$`, 'm').exec(report)?.[0] ?? '').split('|').slice(1);
    const load = Math.min(...Array.from({ length: LOADS }, loadAgain));
    const total = load + Number(call) + Number(finish);
    assert.ok(total < MOST_MS, `loading ${load.toFixed(1)}, activate ${call ?? '?'}+${finish ?? '?'} ms`);
  });
});

const MOST_MS = 50;
const LOADS = 5;

/** Milliseconds to read and run the extension's program; the first time, the disk and other processes count as well. */
function loadAgain(): number {
  const main = path.join(vscode.extensions.getExtension(ID)?.extensionPath ?? '', manifest.main);
  const module = createRequire(main).resolve(main);
  const { cache } = createRequire(main);
  Reflect.deleteProperty(cache, module);
  const start = performance.now();
  createRequire(main)(main);
  return performance.now() - start;
}
