/** The Python and PyTorch files of a workspace: which factories there are, and what checkpoints hold. Read, never run. */

import * as vscode from 'vscode';
import { open } from 'node:fs/promises';
import { folderOf, PYTHON_SOURCE } from '../entries';
import { NOT_SEARCHED } from '../searched';
import { checkpointKind, type CheckpointKind } from './checkpoint';
import { factoriesOf, type Factory } from './factories';

const SOURCES = '**/*.py';
const CHECKPOINTS = '**/*.{pt,pth}';
const MOST_FOUND = 2_000;
/** Nearer files first; each of these is read. */
const MOST_READ = 60;
const MOST_BYTES = 2 ** 20;

export interface SourceFactory extends Factory {
  readonly file: vscode.Uri;
}

/** As it stands in the editor. @throws what reading throws */
export async function factoriesIn(file: vscode.Uri): Promise<SourceFactory[]> {
  const shown = vscode.workspace.textDocuments.find(({ uri }) => uri.toString() === file.toString());
  const text = shown?.getText() ?? new TextDecoder().decode(await vscode.workspace.fs.readFile(file));
  return factoriesOf(text).map((factory) => ({ ...factory, file }));
}

/** Those of all Python files that use torch, the nearest files first. */
export async function factoriesNear(file: vscode.Uri): Promise<SourceFactory[]> {
  const found = (await nearest(SOURCES, file)).map(async (source) => {
    const { size } = await vscode.workspace.fs.stat(source);
    if (size > MOST_BYTES) return [];
    const text = new TextDecoder().decode(await vscode.workspace.fs.readFile(source));
    return /\btorch\b/.test(text) ? factoriesIn(source) : [];
  });
  return (await Promise.all(found)).flat();
}

/** Files with weights alone, the nearest first; one with the name of the file before all others. */
export async function weightsNear(file: vscode.Uri): Promise<vscode.Uri[]> {
  const found = (await nearest(CHECKPOINTS, file)).map(async (checkpoint) => {
    return (await kindOf(checkpoint)) === 'weights' ? [checkpoint] : [];
  });
  const stem = file.path.replace(PYTHON_SOURCE, '.');
  const weights = (await Promise.all(found)).flat();
  return weights.toSorted((a, b) => Number(b.path.startsWith(stem)) - Number(a.path.startsWith(stem)));
}

/** `unknown` also where it cannot be read. */
export async function kindOf(file: vscode.Uri): Promise<CheckpointKind> {
  if (file.scheme !== 'file') return 'unknown';
  const handle = await open(file.fsPath).catch(() => undefined);
  if (handle === undefined) return 'unknown';
  try {
    const { size } = await handle.stat();
    return await checkpointKind(async (offset, length) => {
      const { buffer, bytesRead } = await handle.read(new Uint8Array(length), 0, length, offset);
      return buffer.subarray(0, bytesRead);
    }, size);
  } catch {
    return 'unknown';
  } finally {
    await handle.close();
  }
}

async function nearest(pattern: string, file: vscode.Uri): Promise<vscode.Uri[]> {
  const found = await vscode.workspace.findFiles(pattern, NOT_SEARCHED, MOST_FOUND);
  const folder = folderOf(file.path).split('/');
  const distance = ({ path }: vscode.Uri): number => {
    const other = folderOf(path).split('/');
    let common = 0;
    while (common < folder.length && folder[common] === other[common]) common += 1;
    return folder.length + other.length - 2 * common;
  };
  return found
    .filter(({ scheme, authority }) => scheme === file.scheme && authority === file.authority)
    .map((uri) => ({ uri, far: distance(uri) }))
    .toSorted((a, b) => a.far - b.far || (a.uri.path < b.uri.path ? -1 : 1))
    .slice(0, MOST_READ)
    .map(({ uri }) => uri);
}
