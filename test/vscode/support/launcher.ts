/**
 * Stands in for the program `code` in extension tests: takes its arguments (`--extensionDevelopmentPath=…
 * --extensionTestsPath=… FOLDER`), runs the tests in the extension host of the VS Code server, and exits with 0 only if
 * they passed.
 */

import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { parseArgs } from 'node:util';
import type { Browser, Page } from 'playwright-core';
import { windowUrl } from '../../../scripts/vscode/address';
import { launchBrowser, WINDOW_SIZE } from '../../../scripts/vscode/browser';
import { installVscode } from '../../../scripts/vscode/install';
import { startServer } from '../../../scripts/vscode/server';
import { RESTRICTED_VARIABLE } from './suiteRunner';

const TIMEOUT_MS = 300_000;

/** A built workbench takes extensions under development out of its address only where this option is set. */
const ALLOW_TESTS = `new MutationObserver((_, observer) => {
  const meta = document.getElementById('vscode-workbench-web-configuration');
  if (meta === null) return;
  observer.disconnect();
  const settings = JSON.parse(meta.dataset.settings);
  settings.developmentOptions = { ...settings.developmentOptions, enableSmokeTestDriver: true };
  meta.dataset.settings = JSON.stringify(settings);
}).observe(document, { childList: true, subtree: true });`;

/** The server tells no exit code apart from 0, so the verdict goes through a file. */
const wrapper = (tests: string, verdict: string): string => `
exports.run = async () => {
  await require(${JSON.stringify(tests)}).run();
  require('node:fs').writeFileSync(${JSON.stringify(verdict)}, 'passed');
};
`;

interface Arguments {
  readonly folder: string | undefined;
  readonly developed: string;
  readonly tests: string;
  readonly userData: string;
  readonly extensions: string;
}

function readArguments(): Arguments {
  const { values, positionals } = parseArgs({ strict: false, allowPositionals: true });
  const needed = (name: string): string => {
    const value = values[name];
    if (typeof value !== 'string') throw new Error(`--${name} is missing.`);
    return path.resolve(value);
  };
  const [folder] = positionals;
  return {
    folder: folder === undefined ? undefined : path.resolve(folder),
    developed: needed('extensionDevelopmentPath'),
    tests: needed('extensionTestsPath'),
    userData: needed('user-data-dir'),
    extensions: needed('extensions-dir'),
  };
}

/** Resolves when VS Code says that its tests have ended. */
async function runInWindow(page: Page, url: URL): Promise<void> {
  await page.exposeFunction('codeAutomationLog', () => undefined);
  const ended = new Promise<void>((resolve, reject) => {
    setTimeout(() => reject(new Error(`The tests took longer than ${TIMEOUT_MS / 1000} s.`)), TIMEOUT_MS).unref();
    page.once('crash', () => reject(new Error('The browser crashed.')));
    void page.exposeFunction('codeAutomationExit', () => resolve());
  });
  await page.addInitScript(ALLOW_TESTS);
  await page.goto(url.href, { waitUntil: 'commit' });
  await ended;
}

async function runTests(args: Arguments, temporary: string, browser: Browser): Promise<boolean> {
  const { folder, developed, tests, userData, extensions } = args;
  const verdict = path.join(temporary, 'verdict');
  const wrapped = path.join(temporary, 'tests.js');
  writeFileSync(wrapped, wrapper(tests, verdict));
  const trustAll = process.env[RESTRICTED_VARIABLE] === undefined;
  const server = await startServer(installVscode(), { userData, extensions, trustAll, env: process.env });
  try {
    const url = windowUrl(server.url, folder);
    const remote = (file: string): string => `vscode-remote://${url.host}${file}`;
    const payload = [
      ['extensionDevelopmentPath', remote(developed)],
      ['extensionTestsPath', remote(wrapped)],
    ];
    url.searchParams.set('payload', JSON.stringify(payload));
    await runInWindow(await browser.newPage({ viewport: WINDOW_SIZE }), url);
    return existsSync(verdict);
  } catch (error) {
    process.stderr.write(server.output());
    throw error;
  } finally {
    await server.stop();
  }
}

async function main(): Promise<void> {
  const args = readArguments();
  const temporary = mkdtempSync(path.join(tmpdir(), 'quantscope-launcher-'));
  const browser = await launchBrowser();
  try {
    process.exitCode = (await runTests(args, temporary, browser)) ? 0 : 1;
  } finally {
    await browser.close();
    rmSync(temporary, { recursive: true, force: true });
  }
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));
void main().catch((error: unknown) => {
  process.stderr.write(`${String(error)}\n`);
  process.exitCode = 1;
});
