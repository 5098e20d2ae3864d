/** What every entry point needs first: the dependencies of the lock file, installed. Plain Node, no dependencies. */

import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..');

/** The oldest Node that every development tool of the lock file runs on (ESLint sets it). */
const OLDEST_NODE = [20, 19];

function readLock(path) {
  return existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')).packages : undefined;
}

/**
 * Why the installed packages are not those of the lock file, or undefined if they are.
 * npm leaves a lock file of what it installed in `node_modules`; a package that is optional may be missing there,
 * since npm installs native packages for the machine's own platform only.
 */
function staleness(locked, installed) {
  if (installed === undefined) return 'no dependencies are installed';
  for (const [path, entry] of Object.entries(locked)) {
    if (path === '') continue;
    const found = installed[path];
    if (found === undefined && !entry.optional) return `${path} is not installed`;
    if (found !== undefined && (found.version !== entry.version || found.integrity !== entry.integrity)) {
      return `${path} is not at ${entry.version}`;
    }
  }
  const extra = Object.keys(installed).find((path) => !(path in locked));
  return extra === undefined ? undefined : `${extra} is no longer needed`;
}

function requireNode() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  const [oldestMajor, oldestMinor] = OLDEST_NODE;
  if (major > oldestMajor || (major === oldestMajor && minor >= oldestMinor)) return;
  console.error(`Node ${OLDEST_NODE.join('.')} or newer is needed; this is ${process.version}.`);
  process.exit(1);
}

/** Installs the dependencies where they are missing or out of date; ends the process if that fails. */
export function setUp() {
  requireNode();
  const locked = readLock(join(ROOT, 'package-lock.json'));
  const reason = staleness(locked, readLock(join(ROOT, 'node_modules', '.package-lock.json')));
  if (reason === undefined) return;
  console.log(`npm ci (${reason})`);
  const { status, error } = spawnSync('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: ROOT,
    stdio: ['ignore', 'inherit', 'inherit'],
    // On Windows npm is a command script, which only a shell can start.
    shell: process.platform === 'win32',
  });
  if (status === 0) return;
  console.error(`npm ci failed${error === undefined ? '' : `: ${error.message}`}.`);
  process.exit(status ?? 1);
}

/** Runs a program of the project with this Node and returns its exit code. */
export function runNode(args) {
  const { status, signal } = spawnSync(process.execPath, args, { cwd: ROOT, stdio: 'inherit' });
  if (signal !== null) console.error(`${args.join(' ')} was ended by ${signal}.`);
  return status ?? 1;
}
