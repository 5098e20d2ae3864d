/** Bundles each program of ours into one CommonJS file under `dist/`; native packages stay outside. */

import { chmod, cp, readFile, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const ROOT = dirname(fileURLToPath(import.meta.url));
const SHEBANG = '#!/usr/bin/env node';

/**
 * The interface of VS Code once for a bundle. esbuild copies the members of an external module, some five hundred here,
 * for each file that imports it, and that took longer than all else of becoming active.
 */
const ONE_VSCODE = {
  name: 'one-vscode',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^vscode$/ }, ({ kind, namespace }) =>
      kind === 'import-statement' && namespace === 'file'
        ? { path: 'vscode', namespace: 'one-vscode' }
        : { path: 'vscode', external: true },
    );
    onLoad({ filter: /^vscode$/, namespace: 'one-vscode' }, () => ({ contents: "export * from 'vscode';" }));
  },
};
const NODE = {
  platform: 'node',
  format: 'cjs',
  target: 'node20',
  external: ['onnxruntime-node', 'sharp'],
  plugins: [ONE_VSCODE],
};
/** What is imported when it is needed stays a file of its own, so that activation does not read it. */
const LAZY = {
  ...NODE,
  external: [...NODE.external, './agentLibrary', './engineLibrary', './recipeClient', './recipeLibrary'],
  supported: { 'dynamic-import': false },
  // Read at every start; names stay, for the log.
  minifyWhitespace: true,
  minifySyntax: true,
};
const BROWSER = { platform: 'browser', format: 'iife', target: 'chrome122', minify: true };

const PROGRAMS = [
  { entry: 'src/cli/main.ts', outfile: 'dist/cli.js', executable: true },
  { entry: 'src/cli/mcp/main.ts', outfile: 'dist/mcp.js' },
  { entry: 'src/engine/main.ts', outfile: 'dist/engine.js' },
  { entry: 'src/core/calibrate/statsWorker.ts', outfile: 'dist/statsWorker.js' },
  { entry: 'src/extension/extension.ts', outfile: 'dist/extension.js', platform: LAZY },
  { entry: 'src/extension/agentLibrary.ts', outfile: 'dist/agentLibrary.js' },
  { entry: 'src/extension/engineLibrary.ts', outfile: 'dist/engineLibrary.js' },
  { entry: 'src/extension/recipeClient.ts', outfile: 'dist/recipeClient.js' },
  { entry: 'src/extension/recipeLibrary.ts', outfile: 'dist/recipeLibrary.js' },
  { entry: 'src/server/main.ts', outfile: 'dist/server.js' },
  { entry: 'webview/layers/main.ts', outfile: 'dist/webview/layers.js', platform: BROWSER },
  { entry: 'webview/layers/layers.css', outfile: 'dist/webview/layers.css', platform: BROWSER },
  { entry: 'webview/tune/main.ts', outfile: 'dist/webview/tune.js', platform: BROWSER },
  { entry: 'webview/tune/tune.css', outfile: 'dist/webview/tune.css', platform: BROWSER },
];

async function bundle({ entry, outfile, executable = false, platform = NODE }) {
  // esbuild keeps a shebang that the source already has, and a second one would be a syntax error.
  const hasShebang = (await readFile(join(ROOT, entry), 'utf8')).startsWith('#!');
  const { warnings } = await build({
    absWorkingDir: ROOT,
    entryPoints: [entry],
    outfile,
    bundle: true,
    ...platform,
    banner: executable && !hasShebang ? { js: SHEBANG } : {},
    keepNames: true,
    sourcemap: 'linked',
    legalComments: 'none',
    logLevel: 'warning',
  });
  if (executable) await chmod(join(ROOT, outfile), 0o755);
  return warnings.length;
}

/** The worker of the PyTorch side is Python, and shipped as it is. */
async function copyWorker() {
  const target = join(ROOT, 'dist/worker');
  await rm(target, { recursive: true, force: true });
  await cp(join(ROOT, 'src/torch/worker'), target, {
    recursive: true,
    filter: (source) => !source.includes('__pycache__'),
  });
  return 0;
}

const results = await Promise.allSettled([...PROGRAMS.map(bundle), copyWorker()]);
for (const { reason } of results) {
  // esbuild has printed its own diagnostics; only other failures still need words.
  if (reason !== undefined && reason.errors === undefined) console.error(reason.message);
}
const clean = results.every(({ status, value }) => status === 'fulfilled' && value === 0);
process.exitCode = clean ? 0 : 1;
