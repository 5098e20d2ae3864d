/** `npm run vscode`: makes sure of the VS Code and the browser that tests use, and says where they are. */

import { setUp } from './setup.mjs';

setUp();
// Only now is it certain to be installed.
const { require: load } = await import('tsx/cjs/api');
const { installBrowser, installVscode } = load('./vscode/install.ts', import.meta.url);
const { node, entry } = installVscode(console.log);
console.log(`VS Code: ${node} ${entry}`);
console.log(`Browser: ${installBrowser(console.log)}`);
