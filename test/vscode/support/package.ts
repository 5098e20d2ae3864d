/** The extension as users get it: the `.vsix` of this machine's platform, made again only when what it holds changed. */

import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import * as path from 'node:path';
import { buildPackage, fingerprint, hostPlatform } from '../../../scripts/package/build';

export const ROOT = path.join(__dirname, '../../..');

/** What tests leave behind on purpose; git ignores it. */
export const OUTPUT = path.join(ROOT, '.vscode-test');

/** Packages of earlier states of the checkout that are kept, since another run may still be using one. */
const KEPT = 3;

function removeOld(folder: string): void {
  const files = readdirSync(folder).filter((file) => /^quantscope-.*\.vsix$/.test(file));
  const byAge = files.map((file) => path.join(folder, file)).sort((a, b) => statSync(b).mtimeMs - statSync(a).mtimeMs);
  for (const file of byAge.slice(KEPT)) rmSync(file, { force: true });
}

/** Path of the `.vsix` of what `npm run build` has left in `dist/`. */
export function currentPackage(): string {
  const platform = hostPlatform();
  if (platform === undefined) throw new Error(`There is no package for ${process.platform}-${process.arch}.`);
  const folder = path.join(OUTPUT, 'packages');
  const hash = fingerprint(platform).slice(0, 16);
  const file = path.join(folder, `quantscope-${hash}.vsix`);
  if (existsSync(file)) return file;
  mkdirSync(folder, { recursive: true });
  const part = path.join(folder, `${hash}-${process.pid}.part.vsix`);
  buildPackage(platform, part);
  renameSync(part, file);
  removeOld(folder);
  return file;
}
