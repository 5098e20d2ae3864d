/** What an installation relies on, and what no other check would notice until it fails on someone's machine. */

import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { join, parse } from 'node:path';
import { describe, test } from 'node:test';

const ROOT = join(__dirname, '..');

type Versions = Readonly<Record<string, string>>;

interface Manifest {
  readonly dependencies: Versions;
  readonly devDependencies: Versions;
}

interface Lock {
  readonly packages: Readonly<Record<string, { readonly resolved?: string; readonly optionalDependencies?: Versions }>>;
}

const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as Manifest;
const lock = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')) as Lock;
const locked = Object.entries(lock.packages);

describe('package.json', () => {
  test('fixes every version exactly', () => {
    const versions = Object.entries({ ...manifest.dependencies, ...manifest.devDependencies });
    assert.ok(versions.length > 0);
    assert.deepEqual(
      versions.filter(([, version]) => !/^\d+\.\d+\.\d+$/.test(version)),
      [],
    );
  });
});

describe('package-lock.json', () => {
  test('names no registry, so that any can serve it', () => {
    assert.deepEqual(
      locked.filter(([, { resolved }]) => resolved !== undefined),
      [],
    );
  });

  // `npm install` leaves out what it could not fetch, and `npm ci` then refuses the lock file.
  test('holds the optional packages of every platform', () => {
    const names = new Set(locked.map(([path]) => path.slice(path.lastIndexOf('node_modules/') + 13)));
    const wanted = locked.flatMap(([, { optionalDependencies }]) => Object.keys(optionalDependencies ?? {}));
    assert.deepEqual(
      wanted.filter((name) => !names.has(name)),
      [],
    );
    for (const platform of ['linux-x64', 'linux-arm64', 'win32-x64', 'win32-arm64', 'darwin-arm64']) {
      assert.ok(names.has(`@img/sharp-${platform}`), platform);
    }
  });
});

test('source files have camelCase names', () => {
  const sources = readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.ts'))
    .map((path) => parse(path).name);
  assert.deepEqual(
    sources.filter((name) => !/^[a-z][A-Za-z0-9]*(\.test|_pb)?$/.test(name)),
    [],
  );
});
