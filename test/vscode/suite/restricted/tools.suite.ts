/** The language-model tools where the workspace is not trusted: they read, and run nothing. */

import * as assert from 'node:assert/strict';
import { before, describe, it } from 'mocha';
import * as vscode from 'vscode';
import manifest from '../../../../package.json';
import { callTool, hasTools } from '../modelTools';

const RECIPE = 'shapes.quant.yaml';
const BAD_LAYER = '/stage2/0/depthwise/Conv';

const folder = (): vscode.Uri => vscode.workspace.workspaceFolders![0]!.uri;

/** What lies in the workspace, with the time of its last change. */
async function files(at = folder()): Promise<readonly string[]> {
  const found = await vscode.workspace.fs.readDirectory(at);
  const each = found.map(async ([name, type]) => {
    const uri = vscode.Uri.joinPath(at, name);
    if (type === vscode.FileType.Directory) return name === 'images' ? [] : files(uri);
    return [`${uri.path} ${(await vscode.workspace.fs.stat(uri)).mtime}`];
  });
  return (await Promise.all(each)).flat().sort();
}

(hasTools ? describe : describe.skip)('tools for agents in a restricted workspace', () => {
  before(async () => {
    await vscode.extensions.getExtension(`${manifest.publisher}.${manifest.name}`)?.activate();
  });

  it('is not trusted', () => {
    assert.equal(vscode.workspace.isTrusted, false);
  });

  it('read the layers of a run that is there', async () => {
    const { layers } = await callTool('list_layers', { report: RECIPE, limit: 3 });
    assert.equal((layers as readonly { readonly name: string }[])[0]?.name, BAD_LAYER);
    const { fixes } = await callTool('explain_layer', { report: RECIPE, layer: BAD_LAYER });
    assert.ok((fixes as unknown[]).length > 0);
  });

  const calls = {
    run: { recipe: RECIPE },
    try_fixes: { report: RECIPE, layer: BAD_LAYER, most: 1, samples: 10 },
    tune: { recipe: RECIPE, minSqnr: 24, samples: 20, write: true },
    benchmark: { models: ['shapes.onnx'], runs: 5 },
  };
  for (const [name, input] of Object.entries(calls)) {
    it(`${name} runs no model and writes nothing, and says who can change that`, async () => {
      const before = await files();
      const refused = await callTool(name, input);
      assert.equal(refused['code'], 'usage', JSON.stringify(refused));
      assert.match(JSON.stringify(refused), /restricted workspace models are not run.*Manage Workspace Trust/);
      assert.deepEqual(await files(), before);
    });
  }
});
