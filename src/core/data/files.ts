/** Which files a source names: a file, a folder (recursively) or a glob. */

import { readdir, realpath, stat } from 'node:fs/promises';
import * as path from 'node:path';
import { QuantscopeError } from '../../shared/errors';
import { globToRegExp, isGlob } from '../../shared/glob';

export interface SourceFile {
  /** Relative to the folder, or to the part of the glob without special characters; with `/`. */
  readonly id: string;
  /** Absolute. */
  readonly path: string;
}

export interface SourceFiles {
  readonly source: string;
  /** Whether the source names one file itself; a file then may hold many samples. */
  readonly single: boolean;
  readonly files: readonly SourceFile[];
}

/** Lower case, with its dot. */
export function extensionOf(file: SourceFile): string {
  return path.extname(file.path).toLowerCase();
}

/** UTF-8 sorts by code point; JavaScript's own order puts emoji before the upper half of the basic plane. */
function byCodePoint(a: SourceFile, b: SourceFile): number {
  return Buffer.compare(Buffer.from(a.id), Buffer.from(b.id));
}

/**
 * The files of a source, sorted by code point. Names that start with a dot are left out of folders and globs.
 * @throws `file-not-found` where there is no such file or folder
 */
export async function listSource(source: string, baseDir: string): Promise<SourceFiles> {
  const absolute = path.resolve(baseDir, source);
  const found = await stat(absolute).catch(() => null);
  if (found?.isDirectory() === true)
    return { source, single: false, files: (await walk(absolute, Infinity)).sort(byCodePoint) };
  if (found !== null) return { source, single: true, files: [{ id: path.basename(absolute), path: absolute }] };
  if (!isGlob(source))
    throw new QuantscopeError('file-not-found', `There is no file or folder "${source}" (looked for ${absolute}).`);
  const pattern = path.sep === '\\' ? source.replaceAll('\\', '/') : source;
  const segments = pattern.split('/');
  const fixed = segments.findIndex(isGlob);
  const rest = segments.slice(fixed);
  const root = path.resolve(baseDir, fixed === 0 ? '.' : segments.slice(0, fixed).join('/') || '/');
  const depth = /\*\*|\{[^}]*\//.test(rest.join('/')) ? Infinity : rest.length;
  const matches = globToRegExp(rest.join('/'));
  const files = await walk(root, depth).catch(() => []);
  return { source, single: false, files: files.filter((file) => matches.test(file.id)).sort(byCodePoint) };
}

/** Follows symbolic links, which datasets are full of, but visits no folder twice. */
async function walk(root: string, depth: number): Promise<SourceFile[]> {
  const out: SourceFile[] = [];
  const visited = new Set<string>();
  const visit = async (folder: string, prefix: string, left: number): Promise<void> => {
    const real = await realpath(folder);
    if (visited.has(real)) return;
    visited.add(real);
    for (const entry of await readdir(folder, { withFileTypes: true })) {
      if (entry.name.startsWith('.')) continue;
      const absolute = path.join(folder, entry.name);
      const id = prefix + entry.name;
      const target = entry.isSymbolicLink() ? await stat(absolute).catch(() => null) : entry;
      if (target?.isDirectory() === true) {
        if (left > 1) await visit(absolute, `${id}/`, left - 1);
      } else if (target === null || target.isFile()) {
        // A link to nothing is kept, so that it is told where it cannot be read.
        out.push({ id, path: absolute });
      }
    }
  };
  await visit(root, '', depth);
  return out;
}
