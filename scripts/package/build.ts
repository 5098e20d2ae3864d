/** Makes the `.vsix` of one platform: stages the allowed files, and lets vsce pack them. */

import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { z } from 'zod';
import {
  CHECKOUT_FIELDS,
  MODULES_FOLDER,
  nativeModules,
  OWN_FILES,
  OWN_FOLDERS,
  PLATFORMS,
  type Platform,
} from './contents';
import { moduleFolder } from './native';
import { run } from './run';

const ROOT = path.join(__dirname, '../..');
const VSCE = path.join(ROOT, 'node_modules/@vscode/vsce/vsce');
const VSCE_OPTIONS = ['--no-dependencies', '--allow-missing-repository', '--no-rewrite-relative-links'];

function filesBelow(folder: string): string[] {
  if (!fs.existsSync(folder)) return [];
  const entries = fs.readdirSync(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(folder, path.join(entry.parentPath, entry.name)).replaceAll(path.sep, '/'))
    .sort();
}

function ownFiles(): string[] {
  const top = fs.readdirSync(ROOT);
  const below = OWN_FOLDERS.flatMap((folder) => filesBelow(path.join(ROOT, folder)).map((file) => `${folder}/${file}`));
  return [...top, ...below].filter((file) => OWN_FILES.some((allowed) => allowed.test(file)));
}

function manifest(): Record<string, unknown> {
  const fields = z
    .record(z.string(), z.unknown())
    .parse(JSON.parse(fs.readFileSync(path.join(ROOT, 'package.json'), 'utf8')));
  const kept = Object.entries(fields).filter(([name]) => !CHECKOUT_FIELDS.some((field) => field === name));
  return Object.fromEntries(kept);
}

/** A hash that changes with anything that a package of the platform holds. */
export function fingerprint(platform: Platform): string {
  const modules = nativeModules(platform).map(({ name, files }) => [name, files.source]);
  const hash = createHash('sha256').update(JSON.stringify([platform, manifest(), modules]));
  for (const file of ['package-lock.json', ...ownFiles()]) {
    hash.update(`\0${file}\0`).update(fs.readFileSync(path.join(ROOT, file)));
  }
  return hash.digest('hex');
}

/** Copies what the platform's package holds into the folder: an extension as it will be installed. */
export function stage(platform: Platform, folder: string): void {
  // Everything here is meant to be packaged.
  fs.writeFileSync(path.join(folder, '.vscodeignore'), '');
  fs.writeFileSync(path.join(folder, 'package.json'), `${JSON.stringify(manifest(), undefined, 2)}\n`);
  for (const file of ownFiles()) fs.cpSync(path.join(ROOT, file), path.join(folder, file));
  for (const { name, files } of nativeModules(platform)) {
    const source = moduleFolder(name);
    for (const file of filesBelow(source).filter((each) => files.test(each))) {
      fs.cpSync(path.join(source, file), path.join(folder, MODULES_FOLDER, name, file));
    }
  }
}

/** Makes `file`, and returns its size in bytes; throws if that is over the platform's bound. */
export function buildPackage(platform: Platform, file: string): number {
  const folder = fs.mkdtempSync(path.join(tmpdir(), 'quantscope-package-'));
  try {
    stage(platform, folder);
    fs.mkdirSync(path.dirname(file), { recursive: true });
    run(
      process.execPath,
      [VSCE, 'package', ...VSCE_OPTIONS, '--target', platform, '--out', path.resolve(file)],
      folder,
    );
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
  const { size } = fs.statSync(file);
  const { bound } = PLATFORMS[platform];
  if (size > bound) {
    throw new Error(
      `${path.basename(file)} has ${size} bytes, more than its bound of ${bound} (scripts/package/contents.ts).`,
    );
  }
  return size;
}

/** The platform of this machine, or undefined where the runtime has no binary for it. */
export function hostPlatform(): Platform | undefined {
  const name = `${process.platform}-${process.arch}`;
  return (Object.keys(PLATFORMS) as Platform[]).find((platform) => platform === name);
}
