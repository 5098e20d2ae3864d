/** `npm start`: on a clean clone, installs, builds and quantizes the sample. More arguments go to the command line. */

import { ROOT, runNode, setUp } from './setup.mjs';

const IN_VSCODE = `
The same in VS Code, with a tree of the layers and a view of each:
  npm run code               opens it in the browser, on a copy of this sample (Linux)
  npm run package -- host    makes dist/vsix/*.vsix, for: code --install-extension FILE`;

process.chdir(ROOT);
setUp();
const built = runNode(['esbuild.config.mjs']);
process.exitCode =
  built === 0 ? runNode(['dist/cli.js', 'run', 'samples/shapes.quant.yaml', ...process.argv.slice(2)]) : built;
if (process.exitCode === 0 && process.argv.length === 2) console.log(IN_VSCODE);
