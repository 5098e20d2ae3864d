/**
 * Virtual environments with torch for the tests, in the cache outside the checkout: PyPI's own wheels, which have all
 * engines of quantization. `npx tsx scripts/torch.ts [newest|oldest]` makes one and prints its interpreter.
 */

import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, statSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import * as path from 'node:path';
import { cached, cacheFolder } from './cache';

interface TorchRelease {
  readonly packages: readonly string[];
  /** Minor versions of Python 3 that its wheels are for, the preferred first. */
  readonly pythons: readonly number[];
}

export const TORCH_RELEASES = {
  // Torch 2 writes ONNX with the help of the package of that name; torchao has prepare_pt2e.
  newest: {
    packages: ['torch==2.15.0', 'torchvision==0.29.2', 'onnx==1.23.2', 'torchao==0.18.0'],
    pythons: [11, 12, 13, 10],
  },
  oldest: { packages: ['torch==1.13.1', 'torchvision==0.14.1', 'numpy<2'], pythons: [10, 9, 8] },
} as const satisfies Record<string, TorchRelease>;
export type TorchReleaseName = keyof typeof TORCH_RELEASES;

const MEGABYTE = 1e6;
const WAIT_MS = 500;
/** In an environment: what was asked for when it was made. */
const PACKAGES_FILE = 'packages.txt';
/** No download takes this long; whoever held the lock was killed. */
const ABANDONED_MS = 15 * 60_000;

/** The interpreter of an environment with that torch, made now where there is none. */
export function ensureTorch(release: TorchReleaseName): { readonly python: string } | { readonly missing: string } {
  const { packages, pythons } = TORCH_RELEASES[release];
  const base = pythons.flatMap(candidates).find((program) => runs(program));
  const name = `torch-${packages[0].split('==')[1]!}`;
  const target = path.join(cacheFolder(), name);
  if (!existsSync(target)) {
    if (base === undefined) return { missing: `no Python 3.${pythons.join(', 3.')} is installed` };
    withLock(target, () => {
      if (!existsSync(target)) install(name, base, packages);
    });
  }
  if (!isComplete(target, packages)) {
    withLock(target, () => {
      if (!isComplete(target, packages)) pipInstall(target, packages);
    });
  }
  return { python: path.join(target, 'bin', 'python') };
}

function install(name: string, base: string, packages: readonly string[]): void {
  const start = performance.now();
  const folder = cached(name, (part) => {
    run(base, ['-m', 'venv', part]);
    pipInstall(part, packages);
  });
  const seconds = ((performance.now() - start) / 1000).toFixed(0);
  console.error(
    `installed ${packages.join(' ')} in ${seconds} s, ${(sizeOf(folder) / MEGABYTE).toFixed(0)} MB: ${folder}`,
  );
}

/** What is there already is left as it is. */
function pipInstall(folder: string, packages: readonly string[]): void {
  const options = ['--quiet', '--disable-pip-version-check'];
  run(path.join(folder, 'bin', 'python'), ['-m', 'pip', 'install', ...options, ...packages]);
  writeFileSync(path.join(folder, PACKAGES_FILE), packages.join('\n'));
}

function isComplete(folder: string, packages: readonly string[]): boolean {
  const file = path.join(folder, PACKAGES_FILE);
  return existsSync(file) && readFileSync(file, 'utf8') === packages.join('\n');
}

/** `python3.11` on PATH, or what pyenv has of it. */
function candidates(minor: number): string[] {
  const versions = path.join(homedir(), '.pyenv', 'versions');
  const own = existsSync(versions) ? readdirSync(versions).filter((entry) => entry.startsWith(`3.${minor}.`)) : [];
  return [...own.map((entry) => path.join(versions, entry, 'bin', 'python')), `python3.${minor}`];
}

function runs(program: string): boolean {
  return spawnSync(program, ['-c', 'import venv, ensurepip']).status === 0;
}

function run(program: string, args: readonly string[]): void {
  const { status, error } = spawnSync(program, args, { stdio: ['ignore', 'inherit', 'inherit'] });
  if (status !== 0)
    throw new Error(`${program} ${args.join(' ')} failed${error === undefined ? '' : `: ${error.message}`}`);
}

/** Two test files at once must not both download some gigabytes. */
function withLock(target: string, make: () => void): void {
  const lock = `${target}.lock`;
  mkdirSync(path.dirname(lock), { recursive: true });
  for (;;) {
    try {
      mkdirSync(lock);
      break;
    } catch (error) {
      if (!existsSync(lock)) throw error;
      if (Date.now() - statSync(lock).mtimeMs > ABANDONED_MS) rmdirSync(lock);
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, WAIT_MS);
    }
  }
  try {
    make();
  } finally {
    rmdirSync(lock);
  }
}

function sizeOf(folder: string): number {
  let bytes = 0;
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const file = path.join(folder, entry.name);
    if (entry.isDirectory()) bytes += sizeOf(file);
    else if (entry.isFile()) bytes += statSync(file).size;
  }
  return bytes;
}

const [, program, wanted = 'newest'] = process.argv;
if (program !== undefined && path.basename(program) === 'torch.ts') {
  const found = ensureTorch(wanted === 'oldest' ? 'oldest' : 'newest');
  console.log('python' in found ? found.python : found.missing);
}
