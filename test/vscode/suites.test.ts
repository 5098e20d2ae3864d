/** Runs the files `*.suite.ts` below `suite` inside the extension host of a real VS Code, each of their tests as one of this file. */

import * as assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { after, test, type TestContext } from 'node:test';
import { downloadAndUnzipVSCode, resolveCliArgsFromVSCodeExecutablePath, runTests } from '@vscode/test-electron';
import { buildSync } from 'esbuild';
import { installVscode } from '../../scripts/vscode/install';
import { installExtension } from '../../scripts/vscode/server';
import { currentPackage, ROOT } from './support/package';
import { copySample, userSettings } from './support/session';
import { runRecipe } from './support/sampleRun';
import { RESTRICTED_VARIABLE, RESULTS_VARIABLE, type SuiteResult } from './support/suiteRunner';

const SUITES = path.join(__dirname, 'suite');
const temporary = fs.realpathSync(fs.mkdtempSync(path.join(tmpdir(), 'quantscope-suites-')));
const inTemporary = (name: string): string => path.join(temporary, name);

after(() => fs.rmSync(temporary, { recursive: true, force: true, maxRetries: 3 }));

function suitesOf(folder: string): string[] {
  return fs.readdirSync(folder).filter((file) => file.endsWith('.suite.ts'));
}

/** Bundles the suites of a folder and what runs them; mocha stays outside, since it loads files by itself. */
function bundleSuites(folder: string, target: string): string {
  const suites = suitesOf(folder).map((file) => path.join(folder, file));
  buildSync({
    entryPoints: [path.join(__dirname, 'support/suiteRunner.ts'), ...suites],
    entryNames: '[name]',
    outdir: target,
    bundle: true,
    platform: 'node',
    format: 'cjs',
    target: 'node20',
    sourcemap: 'inline',
    external: ['vscode', 'mocha'],
    logLevel: 'error',
  });
  fs.symlinkSync(path.join(ROOT, 'node_modules'), path.join(target, 'node_modules'), 'junction');
  return path.join(target, 'suiteRunner.js');
}

/** test-electron takes one program without arguments. */
function launcher(): string {
  const file = inTemporary('code');
  const main = path.join(__dirname, 'support/launcher.ts');
  const tsx = require.resolve('tsx/cli');
  fs.writeFileSync(file, `#!/bin/sh\nexec "${process.execPath}" "${tsx}" "${main}" "$@"\n`, { mode: 0o755 });
  return file;
}

function usesServer(): boolean {
  return process.env['VSCODE_EXE'] === undefined && process.platform === 'linux';
}

/** Path of a VS Code with the extension installed: `VSCODE_EXE`, on Linux the server's, else a downloaded one. */
async function prepareVscode(userData: string, extensions: string): Promise<string> {
  const vsix = currentPackage();
  const given = process.env['VSCODE_EXE'];
  if (usesServer()) {
    installExtension(installVscode(), vsix, { userData, extensions });
    return launcher();
  }
  const executable = given ?? (await downloadAndUnzipVSCode());
  const [program = executable, ...args] = resolveCliArgsFromVSCodeExecutablePath(executable, {
    reuseMachineInstall: true,
  });
  const folders = [`--user-data-dir=${userData}`, `--extensions-dir=${extensions}`];
  const { status, stderr } = spawnSync(program, [...args, ...folders, '--install-extension', vsix], {
    encoding: 'utf8',
    shell: process.platform === 'win32',
  });
  assert.equal(status, 0, stderr);
  return executable;
}

/** An extension of its own for VS Code to develop, so that ours is the installed one. */
function emptyExtension(parent: string): string {
  const folder = path.join(parent, 'host');
  fs.mkdirSync(folder);
  const identity = { name: 'test-host', publisher: 'quantscope', version: '0.0.0', engines: { vscode: '*' } };
  // Where the workspace is not trusted, others are not loaded.
  const manifest = { ...identity, capabilities: { untrustedWorkspaces: { supported: true } } };
  fs.writeFileSync(path.join(folder, 'package.json'), JSON.stringify(manifest));
  return folder;
}

interface Suites {
  /** Where the files `*.suite.ts` lie. */
  readonly folder: string;
  readonly workspace: string;
  readonly restricted: boolean;
}

/** Runs the suites of a folder in a VS Code of their own, and tells what came of each of their tests. */
async function runSuites(context: TestContext, { folder, workspace, restricted }: Suites): Promise<void> {
  const own = inTemporary(path.basename(folder));
  const [userData, extensions, results] = ['user', 'extensions', 'results.json'].map((name) =>
    path.join(own, name),
  ) as [string, string, string];
  fs.mkdirSync(path.join(userData, 'User'), { recursive: true });
  fs.writeFileSync(path.join(userData, 'User/settings.json'), JSON.stringify(userSettings({})));
  const failure = await runTests({
    vscodeExecutablePath: await prepareVscode(userData, extensions),
    extensionDevelopmentPath: emptyExtension(own),
    extensionTestsPath: bundleSuites(folder, path.join(own, 'suites')),
    launchArgs: [workspace, `--user-data-dir=${userData}`, `--extensions-dir=${extensions}`],
    extensionTestsEnv: { [RESULTS_VARIABLE]: results, ...(restricted ? { [RESTRICTED_VARIABLE]: '1' } : {}) },
  }).then(
    () => undefined,
    (error: unknown) => error,
  );
  assert.ok(fs.existsSync(results), `The suites left no results: ${String(failure)}`);
  const told = JSON.parse(fs.readFileSync(results, 'utf8')) as SuiteResult[];
  for (const { file, name, outcome, reason } of told) {
    await context.test(`${file}: ${name}`, (inner) => {
      if (outcome === 'skip') inner.skip('skipped by its suite');
      if (outcome === 'fail') throw new Error(reason);
    });
  }
  assert.equal(
    failure === undefined,
    told.every(({ outcome }) => outcome !== 'fail'),
    String(failure),
  );
  const silent = suitesOf(folder).filter((file) => !told.some((result) => result.file === file));
  assert.deepEqual(silent, [], 'suites without a test');
}

test('suites in the extension host', async (context) => {
  const workspace = inTemporary('workspace');
  copySample(workspace);
  await runSuites(context, { folder: SUITES, workspace, restricted: false });
});

test(
  'suites in the extension host of a restricted workspace',
  // A VS Code that test-electron starts itself trusts all workspaces.
  { skip: usesServer() ? false : 'only the VS Code of the cache opens a workspace that is not trusted' },
  async (context) => {
    const workspace = inTemporary('restricted-workspace');
    copySample(workspace);
    runRecipe(workspace);
    await runSuites(context, { folder: path.join(SUITES, 'restricted'), workspace, restricted: true });
  },
);
