/** Commands that time models, look at one, and compare runs; each by the way a person takes, with what it then sees. */

import * as assert from 'node:assert/strict';
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import * as path from 'node:path';
import { before, test } from 'node:test';
import { eventually } from '../support/eventually';
import { runRecipe } from '../support/sampleRun';
import { useVscode } from '../support/session';
import type { Workbench } from '../support/workbench';

const vscode = useVscode();

const RUNS = 10;
const JOB_MS = 120_000;

let folder = '';
/** One for all tests: none leaves anything that another minds. */
let window: Workbench;

before(async () => {
  folder = vscode.sample();
  copyFileSync(path.join(folder, 'shapes.onnx'), path.join(folder, 'twin.onnx'));
  runRecipe(folder);
  const recipe = path.join(folder, 'shapes.quant.yaml');
  writeFileSync(recipe, readFileSync(recipe, 'utf8').replace('observer: min-max', 'observer: mse'));
  runRecipe(folder);
  window = await vscode.open({ folder, settings: { 'quantscope.benchmark.runs': RUNS } });
});

/** Opens the table of a benchmark by its notification, and returns its head once it is of these models. */
async function headOf(sentence: RegExp, models: readonly string[]): Promise<readonly string[]> {
  await window.notification(sentence).waitFor({ timeout: JOB_MS });
  await window.press(sentence, 'Show Table');
  const rows = window.webview().locator('table tr');
  const cells = await eventually(
    () => rows.evaluateAll((all) => all.map((row) => Array.from(row.children, (cell) => cell.textContent))),
    ([, ...found]) => found.map(([name]) => name).join() === models.join(),
  );
  await window.runCommand('View: Close All Editors');
  return cells[0] ?? [];
}

test('Benchmark tells the time of one model', async () => {
  await window.explorerContextMenu('twin.onnx', ['Quantscope', 'Benchmark']);
  const head = await headOf(/^twin: .* an inference \(median of 10 runs, 1 thread\)\.$/, ['twin']);
  assert.deepEqual(head, ['Model', 'Median', 'Mean', '95th percentile', 'Fastest', 'Speed', 'Size']);
});

test('Benchmark fp32 against int8 tells how much faster the int8 model is', async () => {
  await window.explorerContextMenu('shapes.onnx', ['Quantscope', 'Benchmark fp32 against int8']);
  await headOf(/^shapes: int8 takes .*(as fast as|slower than|told apart from) fp32( on this machine)? \(.*\)\.$/, [
    'fp32',
    'int8',
  ]);
});

test('Benchmark fp32 against int8 of a model that was never quantized says what to do', async () => {
  await window.explorerContextMenu('twin.onnx', ['Quantscope', 'Benchmark fp32 against int8']);
  await window.notification('twin has no int8 model yet. Quantize it first.').waitFor();
  await window.runCommand('Notifications: Clear All Notifications');
});

test('Compare of two selected models tells speed, and accuracy on the labels of a recipe', async () => {
  const second = await window.selectTwo('shapes.onnx', 'twin.onnx');
  await window.contextMenu(second, ['Compare Models']);
  const head = await headOf(/twin\.onnx takes .*, top-1 96\.7 → 96\.7 %\.$/, ['shapes.onnx', 'twin.onnx']);
  assert.equal(head.at(-1), 'Top-1');
  // Both stay selected, and a menu would be that of both.
  await second.click();
});

test('Compare from the palette asks which models', async () => {
  await window.runCommand('Quantscope: Compare Models');
  assert.deepEqual(await window.picks(), ['shapes', 'twin']);
  await window.page.keyboard.press('Escape');
});

test('Inspect Layers shows what would be done with each layer, without a run', async () => {
  await window.explorerContextMenu('twin.onnx', ['Quantscope', 'Inspect Layers']);
  await window.view('Layers').getByText('Planned, not measured').waitFor({ timeout: JOB_MS });
  const rows = await eventually(
    () => window.treeRows('Layers'),
    (found) => found.length > 5,
  );
  assert.ok(
    rows.every(({ description }) => !description.includes('dB')),
    'nothing was measured',
  );
});

test('two runs of the tree are drawn over each other', async () => {
  await window.showContainer('Quantscope');
  await window.treeRow('Models', 'shapes.onnx').click();
  const runs = window.view('Runs').locator('.monaco-list-row');
  await eventually(
    () => runs.count(),
    (count) => count === 2,
  );
  await runs.nth(0).click();
  await runs.nth(1).click({ modifiers: ['Control'] });
  await window.contextMenu(runs.nth(1), ['Compare Runs']);
  const view = window.webview();
  await view.locator('.summary .since[title="Change against the compared run."]').first().waitFor();
  await view.locator('.header', { hasText: 'mse' }).waitFor();
  await window.runCommand('View: Close All Editors');
});

test('Show Log shows what was done, Restart Engine ends what runs, and the next job works', async () => {
  await window.explorerContextMenu('shapes.onnx', ['Quantscope', 'Quantize…']);
  await window.notification(/Quantizing shapes.*(Calibrating|Measuring)/).waitFor({ timeout: JOB_MS });
  await window.runCommand('Quantscope: Restart Engine');
  await window.statusItem(/the engine starts anew with the next job/).waitFor();
  await window.notification('Quantizing shapes').waitFor({ state: 'detached' });
  const told = await window.notifications();
  assert.deepEqual(
    told.filter(({ severity }) => severity === 'error'),
    [],
    'what a person ended is no failure',
  );
  await window.explorerContextMenu('twin.onnx', ['Quantscope', 'Benchmark']);
  await window.notification(/^twin: .* an inference/).waitFor({ timeout: JOB_MS });
  await window.runCommand('Quantscope: Show Log');
  // Its last lines, which are those in sight.
  await window.page.locator('.panel .view-lines', { hasText: 'Time of one inference: median of 10 runs' }).waitFor();
});
