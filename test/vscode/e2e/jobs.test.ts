/** What goes wrong with a job, and what a person is told: cancelled, crashed, a deleted model, a broken recipe. */

import * as assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { test } from 'node:test';
import { eventually } from '../support/eventually';
import { useVscode } from '../support/session';
import type { Workbench } from '../support/workbench';

/** Inherited by every process of this VS Code, by which its engines are told from others'. */
const MARK = `jobs-${process.pid}`;
const vscode = useVscode({ env: { QUANTSCOPE_TEST_MARK: MARK } });

const QUANTIZE = ['Quantscope', 'Quantize…'] as const;
const RECIPE = 'shapes.quant.yaml';
const RESULT = /\d+ of \d+ layers in int8/;
const RUN_MS = 120_000;

async function runToEnd(window: Workbench): Promise<void> {
  await window.explorerContextMenu(RECIPE, QUANTIZE);
  await window.notification(RESULT).waitFor({ timeout: RUN_MS });
}

async function errors(window: Workbench): Promise<string[]> {
  const shown = await window.notifications();
  return shown.filter(({ severity }) => severity === 'error').map(({ text }) => text);
}

test('a cancelled run says nothing, leaves nothing, and the next one works', async () => {
  const folder = vscode.sample();
  const window = await vscode.open({ folder });
  await window.explorerContextMenu(RECIPE, QUANTIZE);
  await window.press('Quantizing shapes', 'Cancel');
  await window.notification('Quantizing shapes').waitFor({ state: 'detached' });
  assert.deepEqual(await errors(window), []);
  const results = path.join(folder, 'shapes.quant');
  assert.deepEqual(
    fs.existsSync(results) ? fs.readdirSync(results).filter((name) => /report|onnx/.test(name)) : [],
    [],
  );
  await runToEnd(window);
  assert.ok(fs.existsSync(path.join(results, 'report.json')));
});

/** Process ids of the engines of this VS Code. */
function engines(): number[] {
  return fs.readdirSync('/proc').flatMap((name) => {
    try {
      const command = fs.readFileSync(`/proc/${name}/cmdline`, 'utf8');
      if (!command.includes('dist/engine.js')) return [];
      return fs.readFileSync(`/proc/${name}/environ`, 'utf8').includes(MARK) ? [Number(name)] : [];
    } catch {
      // No process, or one that has ended.
      return [];
    }
  });
}

test(
  'a crashed engine is said once, and the next run works',
  { skip: process.platform === 'linux' ? false : 'finds the engine in /proc' },
  async () => {
    const window = await vscode.open({ folder: vscode.sample() });
    await window.explorerContextMenu(RECIPE, QUANTIZE);
    await window.notification(/Quantizing shapes.*(Calibrating|Measuring)/).waitFor();
    const running = engines();
    assert.ok(running.length > 0, 'an engine runs');
    for (const pid of running) process.kill(pid, 'SIGKILL');
    await window.notification(/engine/i).waitFor();
    await window.notification('Quantizing shapes').waitFor({ state: 'detached' });
    const [told, ...others] = await window.notifications();
    assert.equal(told?.severity, 'error');
    assert.deepEqual(told.buttons, ['Show Log']);
    assert.deepEqual(others, []);
    await runToEnd(window);
  },
);

test('a deleted model is named, with its row marked', async () => {
  const folder = vscode.sample();
  const window = await vscode.open({ folder });
  fs.rmSync(path.join(folder, 'shapes.onnx'));
  await window.explorerContextMenu(RECIPE, QUANTIZE);
  await window.notification('shapes.onnx').waitFor();
  const [told] = await errors(window);
  assert.match(told ?? '', /shapes\.onnx/);
  await window.showContainer('Quantscope');
  const rows = await eventually(
    () => window.treeRows('Models'),
    ([row]) => row?.description === 'failed',
  );
  assert.equal(rows[0]?.label, RECIPE);
});

test('a broken recipe is told by line, and opened there', async () => {
  const folder = vscode.sample();
  fs.writeFileSync(path.join(folder, RECIPE), 'model: shapes.onnx\nbackend: nope\n');
  const window = await vscode.open({ folder });
  await window.explorerContextMenu(RECIPE, QUANTIZE);
  await window.notification(/shapes\.quant\.yaml, line 2/).waitFor();
  await window.press('line 2', 'Open Recipe');
  await eventually(
    () => window.editorText(),
    (text) => text.includes('backend: nope'),
  );
  await window.statusItem(/Ln 2, Col/).waitFor();
});
