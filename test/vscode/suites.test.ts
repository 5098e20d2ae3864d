/** Runs `suite/*.suite.ts` inside the extension host of a real VS Code, each of their tests as a test of this file. */

import * as assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { after, test } from 'node:test';
import { downloadAndUnzipVSCode, resolveCliArgsFromVSCodeExecutablePath, runTests } from '@vscode/test-electron';
import { buildSync } from 'esbuild';
import { installVscode } from '../../scripts/vscode/install';
import { installExtension } from '../../scripts/vscode/server';
import { currentPackage, ROOT } from './support/package';
import { copySample, userSettings } from './support/session';
import { RESULTS_VARIABLE, type SuiteResult } from './support/suiteRunner';

const SUITES = path.join(__dirname, 'suite');
const temporary = fs.realpathSync(fs.mkdtempSync(path.join(tmpdir(), 'quantscope-suites-')));
const inTemporary = (name: string): string => path.join(temporary, name);

after(() => fs.rmSync(temporary, { recursive: true, force: true, maxRetries: 3 }));

/** Bundles the suites and what runs them; mocha stays outside, since it loads files by itself. */
function bundleSuites(): string {
  const folder = inTemporary('suites');
  const suites = fs.readdirSync(SUITES).filter((file) => file.endsWith('.suite.ts'));
  buildSync({
    entryPoints: [path.join(__dirname, 'support/suiteRunner.ts'), ...suites.map((file) => path.join(SUITES, file))],
    entryNames: '[name]',
    outdir: folder,
    bundle: true,
    platform: 'node',
    format: 'cjs',
    target: 'node20',
    sourcemap: 'inline',
    external: ['vscode', 'mocha'],
    logLevel: 'error',
  });
  fs.symlinkSync(path.join(ROOT, 'node_modules'), path.join(folder, 'node_modules'), 'junction');
  return path.join(folder, 'suiteRunner.js');
}

/** test-electron takes one program without arguments. */
function launcher(): string {
  const file = inTemporary('code');
  const main = path.join(__dirname, 'support/launcher.ts');
  const tsx = require.resolve('tsx/cli');
  fs.writeFileSync(file, `#!/bin/sh\nexec "${process.execPath}" "${tsx}" "${main}" "$@"\n`, { mode: 0o755 });
  return file;
}

/** Path of a VS Code with the extension installed: `VSCODE_EXE`, on Linux the server's, else a downloaded one. */
async function prepareVscode(userData: string, extensions: string): Promise<string> {
  const vsix = currentPackage();
  const given = process.env['VSCODE_EXE'];
  if (given === undefined && process.platform === 'linux') {
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
function emptyExtension(): string {
  const folder = inTemporary('host');
  fs.mkdirSync(folder);
  const manifest = { name: 'test-host', publisher: 'quantscope', version: '0.0.0', engines: { vscode: '*' } };
  fs.writeFileSync(path.join(folder, 'package.json'), JSON.stringify(manifest));
  return folder;
}

test('suites in the extension host', async (context) => {
  const [userData, extensions, results] = [inTemporary('user'), inTemporary('extensions'), inTemporary('results.json')];
  fs.mkdirSync(path.join(userData, 'User'), { recursive: true });
  fs.writeFileSync(path.join(userData, 'User/settings.json'), JSON.stringify(userSettings({})));
  const workspace = inTemporary('workspace');
  copySample(workspace);
  const failure = await runTests({
    vscodeExecutablePath: await prepareVscode(userData, extensions),
    extensionDevelopmentPath: emptyExtension(),
    extensionTestsPath: bundleSuites(),
    launchArgs: [workspace, `--user-data-dir=${userData}`, `--extensions-dir=${extensions}`],
    extensionTestsEnv: { [RESULTS_VARIABLE]: results },
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
  const silent = fs.readdirSync(SUITES).filter((file) => !told.some((result) => result.file === file));
  assert.deepEqual(silent, [], 'suites without a test');
});
