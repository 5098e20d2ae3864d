/**
 * `npm run code [FOLDER]`: builds and packages the extension for this machine, installs it into a VS Code in the
 * browser (Linux; from the cache), and opens a copy of the sample or FOLDER in it. Ctrl-C ends it.
 */

import { resolve } from 'node:path';
import { ROOT, runNode, setUp } from './setup.mjs';

const folders = process.argv.slice(2).map((folder) => resolve(folder));
process.chdir(ROOT);
setUp();
const built = runNode(['esbuild.config.mjs']);
if (built === 0) {
  // In this process, so that Ctrl-C reaches what has to clean up. Only now is tsx certain to be installed.
  const { require: load } = await import('tsx/cjs/api');
  await load('./vscode/code.ts', import.meta.url).openInBrowser(folders[0]);
} else {
  process.exitCode = built;
}
