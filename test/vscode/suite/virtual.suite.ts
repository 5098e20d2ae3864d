/** A model that lies on no disk, as in a virtual workspace: it is looked at, and nothing is run or written. */

import * as assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { after, before, describe, it } from 'mocha';
import * as vscode from 'vscode';
import { eventually } from '../support/eventually';

const SCHEME = 'quantscope-test';
const MODEL = vscode.Uri.from({ scheme: SCHEME, path: '/net.onnx' });
const FILES: Readonly<Record<string, string>> = {
  '/net.onnx': 'no bytes of it are read',
  '/net.quant.yaml': 'model: net.onnx\ncalibration: { data: synthetic }\n',
};

/** Two files, which count what is written. */
class Files implements vscode.FileSystemProvider {
  written = 0;
  readonly onDidChangeFile = new vscode.EventEmitter<vscode.FileChangeEvent[]>().event;

  watch(): vscode.Disposable {
    return new vscode.Disposable(() => undefined);
  }

  stat({ path }: vscode.Uri): vscode.FileStat {
    if (path === '/') return { type: vscode.FileType.Directory, ctime: 0, mtime: 0, size: 0 };
    return {
      type: vscode.FileType.File,
      ctime: 0,
      mtime: 0,
      size: this.readFile(vscode.Uri.from({ scheme: SCHEME, path })).length,
    };
  }

  readDirectory(): [string, vscode.FileType][] {
    return Object.keys(FILES).map((path) => [path.slice(1), vscode.FileType.File]);
  }

  readFile(uri: vscode.Uri): Uint8Array {
    const text = FILES[uri.path];
    if (text === undefined) throw vscode.FileSystemError.FileNotFound(uri);
    return new TextEncoder().encode(text);
  }

  createDirectory(): void {
    this.written++;
  }
  writeFile(): void {
    this.written++;
  }
  delete(): void {
    this.written++;
  }
  rename(): void {
    this.written++;
  }
}

/** Engines that run as children of this extension host, as Linux tells them. */
function engines(): number {
  return readdirSync('/proc').filter((pid) => {
    try {
      const [, parent] = /\nPPid:\s*(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
      return Number(parent) === process.pid && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('engine.js');
    } catch {
      // No process, or one that has ended meanwhile.
      return false;
    }
  }).length;
}

describe('a model that lies on no disk', () => {
  const files = new Files();
  let registration: vscode.Disposable;
  before(() => {
    registration = vscode.workspace.registerFileSystemProvider(SCHEME, files);
  });
  after(async () => {
    await vscode.commands.executeCommand('workbench.action.closeAllEditors');
    registration.dispose();
  });

  it('is not run, by whichever command', async function () {
    if (process.platform !== 'linux') this.skip();
    const folder = vscode.workspace.workspaceFolders![0]!.uri;
    await vscode.commands.executeCommand('quantscope.inspect', vscode.Uri.joinPath(folder, 'shapes.onnx'));
    assert.ok(engines() > 0, 'for a model on the disk');
    await vscode.commands.executeCommand('quantscope.restartEngine');
    await eventually(
      () => Promise.resolve(engines()),
      (count) => count === 0,
    );
    for (const command of ['quantize', 'inspect', 'benchmark']) {
      await vscode.commands.executeCommand(`quantscope.${command}`, MODEL);
    }
    assert.equal(engines(), 0, 'engines that a command has started');
    assert.equal(files.written, 0);
  });

  it('has a layer view all the same', async () => {
    await vscode.commands.executeCommand('quantscope.openLayerView', MODEL);
    await eventually(
      () => Promise.resolve(vscode.window.tabGroups.all.flatMap(({ tabs }) => tabs.map(({ label }) => label))),
      (labels) => labels.includes('net layers'),
    );
    assert.equal(files.written, 0);
  });
});
