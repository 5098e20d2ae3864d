/**
 * `npm test`: sets up, builds, checks types, lint, format and notices, and runs every `*.test.ts` of the project.
 * `npm test -- src/core/onnx walls` builds and runs only the test files whose path holds one of the arguments.
 * The last line is `N passed, N failed`, with `, N skipped` where tests were skipped. Exit code 1 on any failure.
 */

import { spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join, sep } from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { ROOT, setUp } from '../scripts/setup.mjs';

const CHECKS = [['build'], ['typecheck'], ['lint'], ['format:check'], ['notices', '--', '--check']];
const TEST_FOLDERS = ['src', 'test', 'webview'];

/** Tests that start a VS Code and a browser: one after the other, when the rest is done. */
const IN_VSCODE = 'test/vscode/';

/** A file that takes longer than this hangs. */
const TIMEOUT_MS = 600_000;

const totals = { passed: 0, failed: 0, skipped: 0 };

const indent = (lines) => lines.trimEnd().replace(/^(?=.)/gm, '    ');

function fail(name, reason) {
  totals.failed += 1;
  console.log(`\nFAILED ${name}\n${indent(reason)}\n`);
}

const exitOf = (child) =>
  new Promise((resolve) => {
    child.on('error', (error) => resolve(error.message));
    child.on('close', (code, signal) => resolve(code ?? signal));
  });

/** One script of package.json is one check; what it prints is shown only where it fails. */
async function runCheck(script) {
  const child = spawn('npm', ['run', '--silent', ...script], {
    cwd: ROOT,
    env: { ...process.env, NO_COLOR: '1' },
    stdio: ['ignore', 'pipe', 'pipe'],
    shell: process.platform === 'win32',
  });
  const [code, ...printed] = await Promise.all([exitOf(child), text(child.stdout), text(child.stderr)]);
  if (code !== 0) return fail(`${script[0]} (exit code ${code})`, printed.join(''));
  totals.passed += 1;
  console.log(`ok ${script[0]}`);
}

function testFiles(wanted) {
  const all = TEST_FOLDERS.flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true }).map((path) => [folder, ...path.split(sep)].join('/')),
  );
  const tests = all.filter((path) => path.endsWith('.test.ts')).sort();
  return wanted.length === 0 ? tests : tests.filter((path) => wanted.some((part) => path.includes(part)));
}

/** Gathers the results of one test file after the other, since the runner reports the files in order. */
class FileResults {
  #file;
  #passed = 0;
  #output = '';
  #failures = [];
  #skips = [];

  take({ outcome, file, name, reason, text: output }) {
    // Diagnostics name no file: they belong to the one being reported.
    if (file !== '' && file !== this.#file) {
      this.flush();
      this.#file = file;
    }
    if (outcome === 'output') this.#output += output;
    if (outcome === 'pass') this.#passed += 1;
    if (outcome === 'fail') this.#failures.push({ name, reason });
    if (outcome === 'skip') this.#skips.push({ name, reason });
  }

  flush() {
    if (this.#file === undefined) return;
    if (this.#failures.length === 0) console.log(`ok ${this.#file} (${this.#passed})`);
    for (const { name, reason } of this.#failures) fail(`${this.#file}: ${name}`, reason);
    if (this.#failures.length > 0 && this.#output !== '') console.log(`    It printed:\n${indent(this.#output)}\n`);
    for (const { name, reason } of this.#skips) console.log(`skipped ${this.#file}: ${name} (${reason})`);
    totals.passed += this.#passed;
    totals.skipped += this.#skips.length;
    this.#passed = 0;
    this.#output = '';
    this.#failures = [];
    this.#skips = [];
  }
}

async function runFiles(files, concurrency) {
  if (files.length === 0) return;
  const failedBefore = totals.failed;
  const options = [`--test-concurrency=${concurrency}`, `--test-timeout=${TIMEOUT_MS}`];
  const reporter = '--test-reporter=./test/reporter.mjs';
  const child = spawn(process.execPath, ['--import', 'tsx', '--test', ...options, reporter, ...files], {
    cwd: ROOT,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = exitOf(child);
  const results = new FileResults();
  for await (const line of createInterface({ input: child.stdout })) results.take(JSON.parse(line));
  results.flush();
  const code = await ended;
  if (code !== 0 && totals.failed === failedBefore) fail(`test runner (exit code ${code})`, 'It named no failure.');
}

async function runTests(files) {
  const before = { ...totals };
  await runFiles(
    files.filter((file) => !file.startsWith(IN_VSCODE)),
    2,
  );
  await runFiles(
    files.filter((file) => file.startsWith(IN_VSCODE)),
    1,
  );
  if (totals.passed === before.passed && totals.failed === before.failed) {
    fail('tests', `No test ran, of ${files.length} test files.`);
  }
}

process.chdir(ROOT);
setUp();
const wanted = process.argv.slice(2).map((path) => path.replaceAll('\\', '/').replace(/^\.\//, ''));
for (const check of wanted.length === 0 ? CHECKS : CHECKS.slice(0, 1)) await runCheck(check);
await runTests(testFiles(wanted));

process.exitCode = totals.failed === 0 ? 0 : 1;
const skipped = totals.skipped === 0 ? '' : `, ${totals.skipped} skipped`;
console.log(`\n${totals.passed} passed, ${totals.failed} failed${skipped}`);
