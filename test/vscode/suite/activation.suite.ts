/** The extension as installed, asked through VS Code's own interface. */

import * as assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { createRequire } from 'node:module';
import * as path from 'node:path';
import { describe, it } from 'mocha';
import * as vscode from 'vscode';
import manifest from '../../../package.json';

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

  // How long that takes depends on what else the machine does: bench/activation measures it.
  it('reads one small file to become active', () => {
    const main = path.join(vscode.extensions.getExtension(ID)?.extensionPath ?? '', manifest.main);
    const file = createRequire(main).resolve(main);
    const { cache } = createRequire(main);
    Reflect.deleteProperty(cache, file);
    createRequire(main)(main);
    assert.deepEqual(
      cache[file]?.children.map(({ id }) => id),
      [],
      'what is loaded with it',
    );
    const { size } = fs.statSync(file);
    assert.ok(size < MOST_BYTES, `${size} bytes`);
  });

  // A copy of its five hundred members for each file that imports it took longer than all else.
  it('has the interface of VS Code once', () => {
    const main = path.join(vscode.extensions.getExtension(ID)?.extensionPath ?? '', manifest.main);
    const code = fs.readFileSync(createRequire(main).resolve(main), 'utf8');
    assert.equal(code.match(/require\("vscode"\)/g)?.length, 1);
  });
});

const MOST_BYTES = 250_000;
