/**
 * `npm run package`: builds, and makes the `.vsix` of every platform in `dist/vsix/`.
 * `npm run package -- linux-x64 win32-x64` makes those of the named platforms, `npm run package -- host` this one's.
 */

import { ROOT, runNode, setUp } from './setup.mjs';

process.chdir(ROOT);
setUp();
const built = runNode(['esbuild.config.mjs']);
process.exitCode =
  built === 0 ? runNode(['--import', 'tsx', 'scripts/package/main.ts', ...process.argv.slice(2)]) : built;
