/** Fixes are tried in the background after a run, and give way to what a person starts. */

import * as assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import * as path from 'node:path';
import { test } from 'node:test';
import type { FrameLocator, Locator } from 'playwright-core';
import { FINDING_FILES, type KeptPrices } from '../../../src/shared/findings';
import { changeKey } from '../../../src/shared/fixes';
import { comparePriced, judge } from '../../../src/shared/judgement';
import { severeViolations } from '../support/axe';
import { eventually } from '../support/eventually';
import { useVscode } from '../support/session';
import type { Workbench } from '../support/workbench';

const vscode = useVscode();

const AUTOMATIC = { 'quantscope.prices.measure': 'automatically' };
const JOB_MS = 180_000;
const RESULT = /\d+ of \d+ layers in int8/;
const TRYING = /trying fixes/;
const WAITING = /fixes wait/;
const WORST = '/stage2/0/depthwise/Conv';
/** One of the last that the run alone would try. */
const UNBLAMED = '/stem/conv/Conv';
const MENU_MS = 1_000;
const ENDLESS_RUNS = 10_000_000;
/** What is tried begins a second after the last job. */
const SOON_MS = 5_000;

const file = (folder: string, kind: keyof typeof FINDING_FILES): string =>
  path.join(folder, 'shapes.quant', FINDING_FILES[kind]);

/** `undefined` as long as nothing was measured. */
function prices(folder: string): KeptPrices | undefined {
  const kept = file(folder, 'prices');
  return existsSync(kept) ? (JSON.parse(readFileSync(kept, 'utf8')) as KeptPrices) : undefined;
}

async function quantize(window: Workbench): Promise<void> {
  await window.explorerContextMenu('shapes.onnx', ['Quantscope', 'Quantize…']);
  await window.notification(RESULT).waitFor({ timeout: JOB_MS });
}

/** The sample is quantized, and some of its fixes are tried. */
async function untilFirstPrice(): Promise<{ folder: string; window: Workbench; early: KeptPrices }> {
  const folder = vscode.sample();
  const window = await vscode.open({ folder, settings: AUTOMATIC });
  await quantize(window);
  const early = await eventually(
    () => prices(folder),
    (kept) => kept !== undefined,
    JOB_MS,
  );
  return { folder, window, early: early! };
}

async function openView(window: Workbench): Promise<FrameLocator> {
  await window.press(RESULT, 'Open Layer View');
  return shownView(window);
}

async function shownView(window: Workbench): Promise<FrameLocator> {
  const view = window.webview();
  await view.locator('.grid .row[data-layer]').first().waitFor();
  return view;
}

async function select(view: FrameLocator, layer: string): Promise<void> {
  // The table scrolls to what is selected.
  await view.locator('.grid').evaluate((grid) => {
    grid.scrollTop = 0;
  });
  await view.locator('.rows .row', { has: view.getByTitle(layer) }).click();
  await view.locator('.detail h2', { hasText: layer }).waitFor();
}

/** On the line of the recipe where the worst layer is told of. */
async function openQuickFixes(window: Workbench): Promise<void> {
  await window.openFile('shapes.quant.yaml');
  await window.page.locator('.squiggly-warning').first().waitFor();
  const menu = window.page.locator('.action-widget .monaco-list-row').first();
  // It closes as soon as the editor moves, as it does when the code lenses come.
  await eventually(
    async () => {
      if (await menu.isVisible()) return true;
      await window.page.locator('.view-line', { hasText: /^model:/ }).click();
      await window.page.keyboard.press('Control+.');
      await window.page.waitForTimeout(MENU_MS);
      return menu.isVisible();
    },
    (isOpen) => isOpen,
  );
}

const quickFix = (window: Workbench, title: string | RegExp): Locator =>
  window.page.locator('.action-widget .monaco-list-row', { hasText: title });

const ended = (window: Workbench): Promise<void> =>
  window.statusItem(/trying fixes|fixes wait/).waitFor({ state: 'detached', timeout: JOB_MS });

/** Figures as the view shows them, of the fixes that it lists, in its order. */
const titles = (view: FrameLocator): Promise<string[]> => view.locator('.fixes li .button').allInnerTexts();

test('after a run each fix is tried on its own, and is offered once it was, with its price', async () => {
  const folder = vscode.sample();
  const window = await vscode.open({ folder, settings: AUTOMATIC });
  await quantize(window);
  const view = await openView(window);
  await window.statusItem(TRYING).waitFor();
  await view.locator('.fixes .trial.running', { hasText: 'Being tried…' }).waitFor();
  await view.locator('.fixes .trial.waiting', { hasText: 'To be tried' }).first().waitFor();
  assert.equal(
    await view
      .locator('.fixes li', { has: view.locator('.trial') })
      .locator('.button')
      .count(),
    0,
  );
  await view
    .locator('.fixes li', { has: view.locator('.price') })
    .locator('.button')
    .first()
    .waitFor({ timeout: JOB_MS });
  assert.deepEqual(await severeViolations(view), [], 'while fixes are tried');

  await ended(window);
  const kept = prices(folder)!;
  assert.ok(kept.fixes.length > 8 && kept.left === undefined, `${kept.fixes.length} fixes`);
  await eventually(
    () => view.locator('.fixes .trial').count(),
    (count) => count === 0,
  );
  const order = kept.fixes.toSorted(comparePriced);
  assert.deepEqual(
    await eventually(
      () => titles(view),
      ([first]) => first === order[0]?.fix.title,
    ),
    order.map(({ fix }) => fix.title),
  );
  const judged = await view
    .locator('.fixes li')
    .evaluateAll((items) => items.map((item) => item.getAttribute('data-judgement')));
  assert.deepEqual(judged, order.map(judge));
  assert.equal(judged[0], 'better');
  assert.deepEqual(await severeViolations(view), [], 'with prices');

  // What a person looks at is tried as well, where the run alone would not have.
  await select(view, UNBLAMED);
  await window.statusItem(TRYING).waitFor();
  await ended(window);
  assert.ok(prices(folder)!.fixes.length > kept.fixes.length);
  const counts = (): Promise<number[]> =>
    Promise.all(['li', 'li .button', 'li .price'].map((part) => view.locator(`.fixes ${part}`).count()));
  await eventually(counts, ([fixes = 0, ...others]) => fixes > 0 && others.every((count) => count === fixes));

  // The layer, the tree and the recipe tell the same.
  await select(view, WORST);
  const keep = kept.fixes.find(({ fix }) => fix.title === `Keep "${WORST}" in float`);
  const brought = `output +${keep!.price!.sqnr.value.toPrecision(3)} dB`;
  await view.locator('.fixes li', { hasText: keep!.fix.title }).locator('.better').first().waitFor();
  await window.showContainer('Quantscope');
  await window.runCommand('Quantscope: Sort Layers Worst First');
  await eventually(
    () => window.treeRows('Layers'),
    ([worst]) => worst?.description.includes(brought) === true,
  );
  await window.contextMenu(window.treeRow('Layers', /depthwise\/Conv/), ['Fix This Layer…']);
  await window.quickInput.getByText(brought).first().waitFor();
  await window.page.keyboard.press('Escape');
  await openQuickFixes(window);
  await quickFix(window, keep!.fix.title).filter({ hasText: brought }).waitFor();
  // What it would offer beyond that is tried as well.
  const untried = /not tried yet|^Show \d+ fix/;
  await eventually(
    async () => {
      await window.page.keyboard.press('Escape');
      await openQuickFixes(window);
      return quickFix(window, '').allInnerTexts();
    },
    (texts) => texts.length > 1 && !texts.some((text) => untried.test(text)),
    JOB_MS,
  );
  await window.page.keyboard.press('Escape');
  assert.deepEqual(
    (await window.notifications()).filter(({ severity }) => severity !== 'info'),
    [],
  );
  await window.close();
});

test('no view offers what is being tried, until it was or is stopped', async () => {
  const folder = vscode.sample();
  const window = await vscode.open({ folder, settings: { 'quantscope.benchmark.runs': ENDLESS_RUNS } });
  await quantize(window);
  await window.configure(AUTOMATIC);
  // A job that a person has started holds everything back for as long as this test looks.
  await window.explorerContextMenu('shapes.onnx', ['Quantscope', 'Benchmark fp32 against int8']);
  await window.notification('Benchmarking shapes').waitFor();
  await window.runCommand('Quantscope: Open Layer View');
  const view = await shownView(window);
  await window.statusItem(WAITING).waitFor();

  // The layer view: of the model, and of a layer, also of one that the run alone would not have tried.
  const offered = view.locator('.fixes li .button');
  const waiting = view.locator('.fixes .trial.waiting');
  await waiting.first().waitFor();
  assert.equal(await offered.count(), 0);
  for (const layer of [UNBLAMED, WORST]) {
    await select(view, layer);
    await waiting.first().waitFor();
    assert.equal(await offered.count(), 0, layer);
  }

  // The tree, whose choices come while the list is open.
  await window.showContainer('Quantscope');
  await window.runCommand('Quantscope: Sort Layers Worst First');
  await eventually(
    () => window.treeRows('Layers'),
    ([worst]) => worst?.aria.startsWith(`${WORST},`) === true,
  );
  const fixWorst = (): Promise<void> =>
    window.contextMenu(window.treeRow('Layers', /depthwise\/Conv/), ['Fix This Layer…']);
  await fixWorst();
  const keep = `Keep "${WORST}" in float`;
  const choice = window.quickInput.getByText(keep, { exact: true });
  await window.quickInput.locator('input[placeholder*="being tried in the background"]').waitFor();
  assert.equal(await choice.count(), 0);

  await window.page.keyboard.press('Escape');

  // The recipe, which can stop it. Then all of them offer what was not tried.
  await openQuickFixes(window);
  await quickFix(window, /Show \d+ fix/).waitFor();
  assert.equal(await quickFix(window, /Keep|not tried yet/).count(), 0);
  await quickFix(window, /Show \d+ fix/).click();
  await window.statusItem(WAITING).waitFor({ state: 'detached' });
  await openQuickFixes(window);
  await quickFix(window, keep).filter({ hasText: 'not tried yet' }).waitFor();
  await window.page.keyboard.press('Escape');
  await window.showContainer('Quantscope');
  await fixWorst();
  await choice.waitFor();
  await window.page.keyboard.press('Escape');
  await window.page.getByRole('tab', { name: 'shapes layers' }).click();
  await offered.first().waitFor();
  assert.equal(
    await offered.count(),
    await view.locator('.fixes .trial.untried', { hasText: 'Not tried yet' }).count(),
  );
  await window.close();
});

test('what a person starts goes first, and nothing is tried twice', async () => {
  const { folder, window, early } = await untilFirstPrice();
  await window.runCommand('Quantscope: Find Culprits');
  await window.notification('Finding culprits of shapes').waitFor();
  await window.statusItem(WAITING).waitFor();
  await eventually(
    () => existsSync(file(folder, 'culprits')),
    (found) => found,
    JOB_MS,
  );
  const before = prices(folder)!;
  assert.ok(before.fixes.length < 12, `${before.fixes.length} fixes were tried before the job of a person`);

  await window.statusItem(TRYING).waitFor({ timeout: JOB_MS });
  await ended(window);
  const after = prices(folder)!;
  assert.ok(after.fixes.length > before.fixes.length);
  const priceOf = ({ fixes }: KeptPrices, key: string): unknown =>
    fixes.find(({ fix }) => changeKey(fix.change) === key)?.price;
  for (const { fix } of early.fixes) {
    const key = changeKey(fix.change);
    assert.deepEqual(priceOf(after, key), priceOf(early, key), `${fix.title} was tried again`);
  }
  await window.close();
});

test('what is left goes on in the window that is opened anew', async () => {
  const { folder, window, early } = await untilFirstPrice();
  await window.reloadByCommand();
  await window.statusItem(TRYING).waitFor({ timeout: JOB_MS });
  await ended(window);
  const after = prices(folder)!;
  assert.ok(after.fixes.length > early.fixes.length && after.left === undefined, `${after.fixes.length} fixes`);

  // And does not begin again.
  await window.reloadByCommand();
  await window.showContainer('Quantscope');
  await window.page.waitForTimeout(SOON_MS);
  assert.equal(await window.statusItem(TRYING).count(), 0);
  assert.deepEqual(prices(folder), after);
  await window.close();
});

test('it can be stopped, and what is left is measured when a person asks', async () => {
  const folder = vscode.sample();
  const window = await vscode.open({ folder, settings: AUTOMATIC });
  await quantize(window);
  const view = await openView(window);
  await view.locator('.fixes [data-action="stop-prices"]').first().click();
  await ended(window);
  await view.locator('.fixes .trial.untried', { hasText: 'Not tried yet' }).first().waitFor();
  await window.page.waitForTimeout(SOON_MS);
  assert.equal(await window.statusItem(TRYING).count(), 0);
  await view.locator('.fixes [data-action="price"]').click();
  await view.locator('.fixes .price').first().waitFor({ timeout: JOB_MS });
  await window.close();
});

test('on request, nothing is tried by itself', async () => {
  const folder = vscode.sample();
  const window = await vscode.open({ folder, settings: { 'quantscope.prices.measure': 'onRequest' } });
  await quantize(window);
  const view = await openView(window);
  await view.locator('.fixes .trial.untried', { hasText: 'Not tried yet' }).first().waitFor();
  await window.page.waitForTimeout(SOON_MS);
  assert.equal(await window.statusItem(/fixes/).count(), 0);
  assert.equal(prices(folder), undefined);
  assert.ok(!(await window.paletteTitles('Quantscope: Stop Trying')).includes('Quantscope: Stop Trying Fixes'));
  await view.locator('.fixes [data-action="price"]').waitFor();
  await window.close();
});
