/** Runs a recipe as from a terminal, so that a test has a report without going through the editor. */

import { execFileSync } from 'node:child_process';
import * as path from 'node:path';
import { ROOT } from './package';

/** @returns what the terminal prints */
export function runRecipe(folder: string, recipe = 'shapes.quant.yaml'): string {
  const cli = path.join(ROOT, 'dist/cli.js');
  return execFileSync(process.execPath, [cli, 'run', recipe], { cwd: folder, encoding: 'utf8', stdio: 'pipe' });
}
