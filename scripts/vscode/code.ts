/** `code.mjs`, once everything is installed and built. */

import { cpSync, existsSync, mkdirSync, statSync, writeFileSync } from 'node:fs';
import * as path from 'node:path';
import manifest from '../../package.json';
import { buildPackage, hostPlatform } from '../package/build';
import { windowUrl } from './address';
import { installVscode, type Vscode } from './install';
import { installExtension, startServer } from './server';

const ROOT = path.join(__dirname, '../..');
/** Kept between two starts: what the user sets and changes there. */
const HOME = path.join(ROOT, '.vscode-test/code');

const SETTINGS = {
  'chat.disableAIFeatures': true,
  'extensions.autoUpdate': 'off',
  'telemetry.telemetryLevel': 'off',
  'workbench.secondarySideBar.defaultVisibility': 'hidden',
  'workbench.startupEditor': 'none',
};

function makePackage(): string {
  const platform = hostPlatform();
  if (platform === undefined) throw new Error(`There is no package for ${process.platform}-${process.arch}.`);
  const file = path.join(ROOT, 'dist/vsix', `quantscope-${platform}-${manifest.version}.vsix`);
  buildPackage(platform, file);
  console.log(`Packaged: ${path.relative(ROOT, file)}`);
  return file;
}

function sampleCopy(): string {
  const folder = path.join(HOME, 'sample');
  // Without results of earlier runs.
  const filter = (file: string): boolean => !file.endsWith('.quant');
  if (!existsSync(folder)) cpSync(path.join(ROOT, 'samples'), folder, { recursive: true, filter });
  return folder;
}

function installed(vsix: string): Vscode {
  try {
    return installVscode(console.log);
  } catch (error) {
    throw new Error(`Install it into your own VS Code: code --install-extension ${vsix}`, { cause: error });
  }
}

async function serve(given: string | undefined): Promise<void> {
  if (given !== undefined && !(existsSync(given) && statSync(given).isDirectory())) {
    throw new Error(`${given} is not a folder.`);
  }
  const vsix = makePackage();
  const vscode = installed(vsix);
  const folders = { userData: path.join(HOME, 'user'), extensions: path.join(HOME, 'extensions') };
  const settings = path.join(folders.userData, 'User/settings.json');
  mkdirSync(path.dirname(settings), { recursive: true });
  if (!existsSync(settings)) writeFileSync(settings, `${JSON.stringify(SETTINGS, undefined, 2)}\n`);
  installExtension(vscode, vsix, folders);
  // The sample is ours; another folder is trusted by whoever opens it, as in any VS Code.
  const server = await startServer(vscode, { ...folders, trustAll: given === undefined });
  console.log(`\nOpen ${windowUrl(server.url, given ?? sampleCopy()).href}\nCtrl-C ends it.`);
  await new Promise<void>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve());
  });
  await server.stop();
}

/** Serves the folder, or a copy of the sample, until the process is interrupted. */
export async function openInBrowser(folder: string | undefined): Promise<void> {
  try {
    await serve(folder);
  } catch (error) {
    const { message, cause } = error instanceof Error ? error : new Error(String(error));
    console.error(cause instanceof Error ? `${cause.message}\n${message}` : message);
    process.exitCode = 1;
  }
}
