/** Native modules of any platform: those of this machine are installed, others come from the registry. */

import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import * as path from 'node:path';
import { z } from 'zod';
import { cached } from '../cache';
import { run } from './run';

const ROOT = path.join(__dirname, '../..');

const LockFile = z.object({
  packages: z.record(z.string(), z.object({ version: z.string().optional(), integrity: z.string().optional() })),
});

/** Whether the file has one of the hashes of the lock file (`sha512-…`, separated by blanks). */
function matches(file: string, integrity: string): boolean {
  const content = readFileSync(file);
  return integrity.split(' ').some((hash) => {
    const [algorithm = '', ...digest] = hash.split('-');
    return createHash(algorithm).update(content).digest('base64') === digest.join('-');
  });
}

function download(folder: string, name: string, version: string, integrity: string): void {
  run('npm', ['pack', `${name}@${version}`, '--silent'], folder);
  const archive = readdirSync(folder).find((file) => file.endsWith('.tgz'));
  if (archive === undefined) throw new Error(`npm pack ${name}@${version} made no archive.`);
  if (!matches(path.join(folder, archive), integrity)) {
    throw new Error(`${name} ${version} is not what package-lock.json names: its hash is another.`);
  }
  run('tar', ['-xzf', archive], folder);
}

/** Folder with the files of a module in the version of the lock file. */
export function moduleFolder(name: string): string {
  const installed = path.join(ROOT, 'node_modules', name);
  if (existsSync(path.join(installed, 'package.json'))) return installed;
  const { packages } = LockFile.parse(JSON.parse(readFileSync(path.join(ROOT, 'package-lock.json'), 'utf8')));
  const { version, integrity } = packages[`node_modules/${name}`] ?? {};
  if (version === undefined || integrity === undefined) throw new Error(`${name} is not in package-lock.json.`);
  const folder = cached(`modules/${name.replace('/', '+')}-${version}`, (part) => {
    download(part, name, version, integrity);
  });
  return path.join(folder, 'package');
}
