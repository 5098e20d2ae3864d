/** Programs of ours bundled as they ship, for tests that start them. */

import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import * as path from 'node:path';
import { buildSync } from 'esbuild';

const ROOT = path.join(__dirname, '../..');

export interface Bundles {
  readonly cli: string;
  readonly engine: string;
  remove(): void;
}

/** Inside the project, where the native packages that stay outside of a bundle are found. */
export function bundlePrograms(): Bundles {
  const cache = path.join(ROOT, 'node_modules/.cache');
  mkdirSync(cache, { recursive: true });
  const folder = mkdtempSync(path.join(cache, 'quantscope-'));
  buildSync({
    entryPoints: { cli: path.join(ROOT, 'src/cli/main.ts'), engine: path.join(ROOT, 'src/engine/main.ts') },
    outdir: folder,
    bundle: true,
    platform: 'node',
    format: 'cjs',
    target: 'node20',
    external: ['onnxruntime-node', 'sharp'],
    logLevel: 'error',
  });
  return {
    cli: path.join(folder, 'cli.js'),
    engine: path.join(folder, 'engine.js'),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}
