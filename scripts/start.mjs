/** `npm start`: on a clean clone, installs, builds and quantizes the sample. More arguments go to the command line. */

import { ROOT, runNode, setUp } from './setup.mjs';

process.chdir(ROOT);
setUp();
const built = runNode(['esbuild.config.mjs']);
process.exitCode =
  built === 0 ? runNode(['dist/cli.js', 'run', 'samples/shapes.quant.yaml', ...process.argv.slice(2)]) : built;
