/** Tune… on the sample: asked for, watched, stopped and written as a person does it. */

import * as assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import * as path from 'node:path';
import { test } from 'node:test';
import type { FrameLocator } from 'playwright-core';
import { severeViolations } from '../support/axe';
import { eventually } from '../support/eventually';
import { useVscode } from '../support/session';
import { chooseSqnr } from '../support/tuneGoal';
import type { Theme, Workbench } from '../support/workbench';

const vscode = useVscode();

const RECIPE = 'shapes.quant.yaml';
const TUNE = ['Quantscope', 'Tune…'] as const;
const TUNE_MS = 180_000;
const ROW = '.list tbody tr';

/** Of the three goals only the SQNR. */
async function askForSqnr(window: Workbench, decibels: number): Promise<FrameLocator> {
  assert.deepEqual(await window.picks(), [
    'Largest accuracy drop',
    'Least SQNR of the outputs',
    'Largest latency ratio',
  ]);
  await chooseSqnr(window);
  await window.answer('nonsense');
  await window.quickInput.getByText('A number is needed.').waitFor();
  await window.answer(String(decibels));
  return window.webview();
}

test('a goal that holds becomes one edit of the recipe, which undo takes back', async () => {
  const folder = vscode.sample();
  const file = path.join(folder, RECIPE);
  const before = readFileSync(file, 'utf8');
  const window = await vscode.open({ folder });
  await window.explorerContextMenu(RECIPE, TUNE);
  // The sample has labels, so that the first choice is their accuracy.
  await window.picks();
  await window.accept();
  await eventually(
    () => window.quickInput.locator('input[type="text"]').first().inputValue(),
    (value) => value === '1',
  );
  await window.accept();
  const view = window.webview();
  await view.locator(ROW).first().waitFor();
  await window.notification(/holds at most 1 point lost.*undo takes it back/).waitFor({ timeout: TUNE_MS });
  const after = readFileSync(file, 'utf8');
  assert.match(after, /^# Tuned: .*; alone, it takes the outputs from .* to .* dB\.$/m);
  for (const comment of before.match(/#.*$/gm) ?? []) assert.ok(after.includes(comment), comment);
  await view.locator(`${ROW}.chosen`, { hasText: 'in the recipe' }).waitFor();

  await window.openFile(RECIPE);
  await window.page.keyboard.press('ControlOrMeta+z');
  await window.page.keyboard.press('ControlOrMeta+s');
  await eventually(
    () => Promise.resolve(readFileSync(file, 'utf8')),
    (text) => text === before,
  );
  await window.close();
});

test('the chart and the table show every recipe, the keyboard reaches each, and any of them can be written', async () => {
  const folder = vscode.sample();
  const file = path.join(folder, RECIPE);
  const before = readFileSync(file, 'utf8');
  const window = await vscode.open({ folder });
  await window.openFile(RECIPE);
  await window.page.locator('.codelens-decoration a', { hasText: 'Tune' }).click();
  const view = await askForSqnr(window, 30);
  await window.notification(/holds at least 30 dB/).waitFor({ timeout: TUNE_MS });
  const rows = await view.locator(ROW).count();
  const points = view.getByRole('listbox').getByRole('option');
  assert.ok(rows > 5, `${rows} rows`);
  assert.equal(await points.count(), rows);
  assert.equal(await view.locator('path.front').count(), 1);
  assert.equal(await view.locator('line.goal').count(), 1);

  // Along the points to the cheapest, and its tooltip says the same as its row.
  await view.getByRole('listbox').focus();
  await window.page.keyboard.press('Home');
  const active = (await view.getByRole('listbox').getAttribute('aria-activedescendant')) ?? '';
  const index = Number(active.replace('point-', ''));
  assert.equal(await view.locator(`#${active}.cursor`).count(), 1);
  await view.locator('.tooltip:not([hidden])', { hasText: `${index + 1}. ` }).waitFor();
  await window.page.keyboard.press('Enter');
  await view.locator(`${ROW}.shown`).nth(0).waitFor();
  assert.equal(await view.locator(`#${active}`).getAttribute('aria-selected'), 'true');
  await window.page.keyboard.press('Escape');
  await view.locator(`${ROW}.chosen.shown`).waitFor();

  // Another axis moves the points, the values stay.
  await view.getByLabel('Across axis').selectOption('macs');
  await view.locator('.chart .title', { hasText: 'Multiply-adds in int8' }).waitFor();

  // The first row is the recipe as it was: writing it takes everything back, however often it is changed.
  assert.notEqual(readFileSync(file, 'utf8'), before);
  await view.locator(`${ROW} button`).first().click();
  await view.getByRole('button', { name: 'Write to recipe' }).click();
  await view.locator('.detail .button.primary', { hasText: 'In the recipe' }).waitFor();
  assert.equal(readFileSync(file, 'utf8'), before);

  // What was found outlives another tab in front of it, and a reload of the window.
  await window.openFile('classes.txt');
  await window.page.getByRole('tab', { name: /Tune shapes/ }).click();
  await eventually(
    () => window.webview().locator(ROW).count(),
    (count) => count === rows,
  );
  await window.reloadByCommand();
  await eventually(
    () => window.webview().locator(ROW).count(),
    (count) => count === rows,
  );
  await window.close();
});

test('a stopped search keeps the best so far, and writes it only when told to', async () => {
  const folder = vscode.sample();
  const file = path.join(folder, RECIPE);
  const before = readFileSync(file, 'utf8');
  const window = await vscode.open({ folder });
  await window.runCommand('Quantscope: Tune…');
  const view = await askForSqnr(window, 90);
  await view.locator(ROW).nth(2).waitFor({ timeout: TUNE_MS });
  await view.getByRole('button', { name: 'Stop, keep the best' }).click();
  const told = window.notification(/The search was stopped; of \d+ recipes, .* is nearest to at least 90 dB/);
  await told.waitFor();
  await view.locator('.meta', { hasText: 'Search stopped after' }).waitFor();
  assert.equal(readFileSync(file, 'utf8'), before);
  await window.press(/The search was stopped/, 'Write to Recipe');
  await eventually(
    () => Promise.resolve(readFileSync(file, 'utf8')),
    (text) => text !== before && text.includes('# Tuned: '),
  );
  await window.close();
});

test('nobody is kept out, in any theme', async () => {
  const window = await vscode.open({ folder: vscode.sample() });
  await window.runCommand('Quantscope: Tune…');
  const view = await askForSqnr(window, 30);
  await view.locator(ROW).first().waitFor();
  assert.deepEqual(await severeViolations(view), [], 'while it searches');
  await window.notification(/holds at least 30 dB/).waitFor({ timeout: TUNE_MS });
  for (const theme of ['dark', 'light', 'hc-dark', 'hc-light'] as const satisfies readonly Theme[]) {
    await window.setTheme(theme);
    assert.deepEqual(await severeViolations(view), [], theme);
    const shots = process.env['QUANTSCOPE_SCREENSHOTS'];
    if (shots !== undefined) await window.screenshot(path.join(shots, `tune-${theme}.png`));
  }
  await window.close();
});
