/** `package.mjs`, once everything is installed and built. */

import * as path from 'node:path';
import manifest from '../../package.json';
import { buildPackage, hostPlatform } from './build';
import { PLATFORMS, type Platform } from './contents';

const FOLDER = 'dist/vsix';
const NAMES = Object.keys(PLATFORMS) as Platform[];

function chosen(name: string): Platform {
  const platform = name === 'host' ? hostPlatform() : NAMES.find((each) => each === name);
  if (platform !== undefined) return platform;
  const wanted = name === 'host' ? `${process.platform}-${process.arch}` : name;
  throw new Error(`There is no package for ${wanted}, only for ${NAMES.join(', ')}.`);
}

function main(): void {
  const named = process.argv.slice(2).map(chosen);
  for (const platform of named.length === 0 ? NAMES : named) {
    const file = path.join(FOLDER, `quantscope-${platform}-${manifest.version}.vsix`);
    const size = (buildPackage(platform, file) / 1e6).toFixed(1);
    console.log(`${file}  ${size} MB (at most ${PLATFORMS[platform].bound / 1e6} MB)`);
  }
}

try {
  main();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
