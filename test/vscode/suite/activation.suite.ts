/** The extension as installed, asked through VS Code's own interface. */

import * as assert from 'node:assert/strict';
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
});
