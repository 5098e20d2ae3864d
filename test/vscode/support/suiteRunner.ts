/** Runs inside the extension host: the bundled suites beside it, on mocha. What came of each test goes to a file. */

import { readdirSync, writeFileSync } from 'node:fs';
import * as path from 'node:path';
import Mocha from 'mocha';

export interface SuiteResult {
  readonly file: string;
  readonly name: string;
  readonly outcome: 'pass' | 'fail' | 'skip';
  /** Of a failure. */
  readonly reason: string;
}

/** Names the file that the results go to. */
export const RESULTS_VARIABLE = 'QUANTSCOPE_SUITE_RESULTS';
/** Set where the workspace of the suites is not to be trusted. */
export const RESTRICTED_VARIABLE = 'QUANTSCOPE_SUITE_RESTRICTED';

const TIMEOUT_MS = 60_000;

function runFile(file: string, results: SuiteResult[]): Promise<void> {
  const mocha = new Mocha({ ui: 'bdd', timeout: TIMEOUT_MS, reporter: 'min' });
  mocha.addFile(path.join(__dirname, file));
  const add = (test: Mocha.Runnable, outcome: SuiteResult['outcome'], reason = ''): void => {
    results.push({ file: file.replace(/\.js$/, '.ts'), name: test.titlePath().join(' > '), outcome, reason });
  };
  return new Promise((resolve) => {
    mocha
      .run(() => resolve())
      .on('pass', (test) => add(test, 'pass'))
      .on('pending', (test) => add(test, 'skip'))
      .on('fail', (test, error: unknown) => {
        add(test, 'fail', error instanceof Error ? (error.stack ?? error.message) : String(error));
      });
  });
}

export async function run(): Promise<void> {
  const results: SuiteResult[] = [];
  for (const file of readdirSync(__dirname).filter((name) => name.endsWith('.suite.js'))) await runFile(file, results);
  const target = process.env[RESULTS_VARIABLE];
  if (target === undefined) throw new Error(`${RESULTS_VARIABLE} is not set.`);
  writeFileSync(target, JSON.stringify(results));
  if (results.some(({ outcome }) => outcome === 'fail')) throw new Error('Some tests failed.');
}
