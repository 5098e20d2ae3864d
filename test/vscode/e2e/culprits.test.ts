/** Where the error of the sample comes from, and what fixes bring and cost: asked in VS Code. */

import * as assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import * as path from 'node:path';
import { before, test } from 'node:test';
import type { FrameLocator } from 'playwright-core';
import { FINDING_FILES, type Findings } from '../../../src/shared/findings';
import { severeViolations } from '../support/axe';
import { eventually } from '../support/eventually';
import { runRecipe } from '../support/sampleRun';
import { useVscode } from '../support/session';
import type { Workbench } from '../support/workbench';

const vscode = useVscode();
const JOB_MS = 120_000;
const CULPRIT = '/stage2/0/depthwise/Conv';

let folder = '';

before(() => {
  folder = vscode.sample();
  runRecipe(folder);
});

const file = (name: string): string => path.join(folder, 'shapes.quant', name);
const read = <K extends keyof Findings>(kind: K): Findings[K] =>
  JSON.parse(readFileSync(file(FINDING_FILES[kind]), 'utf8')) as Findings[K];

async function openView(window: Workbench): Promise<FrameLocator> {
  await window.runCommand('Quantscope: Open Layer View');
  const view = window.webview();
  await view.locator('.grid .row[data-layer]').first().waitFor();
  return view;
}

/** The row of a layer by the end of its name. */
const rowOf = (view: FrameLocator, name: string) => view.locator('.rows .row', { has: view.getByTitle(name) });

test('culprits and prices are asked for and shown', async () => {
  const window = await vscode.open({ folder });
  const view = await openView(window);
  assert.equal(await view.locator('.cell.verdict').count(), 0, 'nobody has asked yet');

  // By the palette; the view follows.
  await window.runCommand('Quantscope: Find Culprits');
  await window.notification(/1 culprit; \/stage2\/0\/depthwise\/Conv makes \d+/).waitFor({ timeout: JOB_MS });
  await view.getByRole('heading', { name: 'Where the error comes from' }).waitFor();
  const culprits = read('culprits');
  const [guilty] = culprits.layers.filter(({ verdict }) => verdict === 'culprit');
  assert.equal(guilty?.layer, CULPRIT);
  const row = rowOf(view, CULPRIT);
  assert.match(await row.locator('.verdict').innerText(), /●\s*culprit/);
  assert.equal(await row.locator('.share').innerText(), `${Math.round(guilty.share)} %`);
  const victims = culprits.layers.filter(({ verdict }) => verdict === 'victim').length;
  assert.match(await view.locator('.verdicts').innerText(), new RegExp(`${victims}\\s*◇\\s*victim`));
  assert.deepEqual(await severeViolations(view), [], 'with verdicts');

  await row.click();
  await view.locator('.blame', { hasText: guilty.why }).waitFor();
  const parts = await view
    .locator('.split .part')
    .evaluateAll((elements) => elements.map((e) => Number(getComputedStyle(e).flexGrow)));
  assert.ok(Math.abs(parts.reduce((a, b) => a + b, 0) - 1) < 0.02, `parts of one whole: ${parts.join(' ')}`);
  assert.equal(await view.locator('.causes li').first().getAttribute('data-cause'), 'outlier-channel');

  // Prices of this layer's fixes.
  assert.equal(await view.locator('.price').count(), 0);
  await view.locator('.detail [data-action="price"]').click();
  // They come one by one.
  await view.locator('.price').first().waitFor({ timeout: JOB_MS });
  await window.notification('Trying fixes of shapes').waitFor({ state: 'detached', timeout: JOB_MS });
  const { fixes } = read('prices');
  const kept = fixes.find(({ fix }) => fix.kind === 'exclude-layer')?.price;
  assert.ok(kept !== undefined && kept !== null && kept.sqnr.low > 0);
  const tag = view.locator('.fixes li', { hasText: `Keep "${CULPRIT}" in float` }).locator('.price');
  await tag.locator('.better', { hasText: `+${kept.sqnr.value.toPrecision(3)} dB` }).waitFor();
  assert.match(await tag.innerText(), /Size\s*−\d+/);
  assert.match(await view.locator('.fixes').innerText(), /noise|no change/);
  assert.deepEqual(await severeViolations(view), [], 'with prices');
  await window.close();
});

interface Shown {
  readonly verdicts: readonly string[];
  readonly timings: string;
  readonly prices: readonly string[];
}

/** What the view shows of what was found out, of the model and of its culprit; the model is shown again after it. */
async function findingsOf({ page }: Workbench, view: FrameLocator): Promise<Shown> {
  const timings = await view.locator('.timings').innerText();
  const row = rowOf(view, CULPRIT);
  const verdicts = [await row.locator('.cell.verdict').innerText(), await view.locator('.verdicts').innerText()];
  await row.click();
  await view.locator('.price').first().waitFor();
  // Whether or not they are laid out at this moment, since the pane may be drawn anew.
  const prices = await view.locator('.price').allTextContents();
  await view.locator('.grid').press('Escape');
  // A row under the pointer is shown instead of the model.
  await page.mouse.move(0, 0);
  await view.locator('.timings').waitFor();
  return { verdicts, timings, prices };
}

test('the speed is explained, and everything found out outlives a reload of the window and a call that is cancelled', async () => {
  const window = await vscode.open({ folder, settings: { 'quantscope.benchmark.runs': 10 } });
  const view = await openView(window);
  await view.getByRole('heading', { name: 'Where the time goes' }).waitFor();
  assert.equal(await view.locator('.timings').count(), 0, 'nobody has asked yet');
  await window.runCommand('Quantscope: Explain the Speed of int8');
  await window
    .notification(/^shapes: int8 is .*(as fast as|slower than|told apart from) fp32( on this machine)?\./)
    .waitFor({ timeout: JOB_MS });
  const { timings } = read('speed');
  assert.equal(timings[0]?.threads, 1);
  const shown = await findingsOf(window, view);
  for (const { threads } of timings) assert.match(shown.timings, new RegExp(`${threads} threads?: `));
  assert.match(shown.verdicts[0] ?? '', /●\s*culprit/);
  assert.deepEqual(await severeViolations(view), [], 'with times');

  await window.reloadByCommand();
  const again = window.webview();
  assert.deepEqual(await findingsOf(window, again), shown, 'after a reload');

  const kept = readFileSync(file(FINDING_FILES.culprits), 'utf8');
  await window.runCommand('Quantscope: Find Culprits');
  await window.press('Finding culprits of shapes', 'Cancel');
  await window.notification('Finding culprits of shapes').waitFor({ state: 'detached' });
  assert.deepEqual(await findingsOf(window, again), shown, 'after a cancelled call');
  assert.equal(readFileSync(file(FINDING_FILES.culprits), 'utf8'), kept);
  const said = await window.notifications();
  assert.deepEqual(
    said.filter(({ severity }) => severity === 'error'),
    [],
  );
  await window.close();
});

test('the image that sets a range alone is opened', async () => {
  const culprits = read('culprits');
  const sample = '007.png';
  const cause = { kind: 'one-sample-range', sentence: `One sample, ${sample}, sets the range.`, sample } as const;
  const layers = culprits.layers.map((layer) => (layer.layer === CULPRIT ? { ...layer, causes: [cause] } : layer));
  writeFileSync(file('culprits.json'), JSON.stringify({ ...culprits, layers }));
  const window = await vscode.open({ folder });
  const view = await openView(window);
  await rowOf(view, CULPRIT).click();
  await view.getByRole('button', { name: `Open ${sample}` }).click();
  await window.page.getByRole('tab', { name: new RegExp(sample) }).waitFor();

  // One that is gone is said.
  const gone = { ...cause, sample: 'gone.png' };
  const without = culprits.layers.map((layer) => (layer.layer === CULPRIT ? { ...layer, causes: [gone] } : layer));
  writeFileSync(file('culprits.json'), JSON.stringify({ ...culprits, layers: without }));
  await view.getByRole('button', { name: 'Open gone.png' }).click();
  await view.locator('.banner', { hasText: 'gone.png is no longer where it was' }).waitFor();
  await window.close();
});

test('findings of another run are not shown', async () => {
  const culprits = read('culprits');
  writeFileSync(file('culprits.json'), JSON.stringify({ ...culprits, report: '2020-01-01T00:00:00.000Z' }));
  const window = await vscode.open({ folder });
  const view = await openView(window);
  await eventually(
    () => view.locator('.cell.verdict').count(),
    (count) => count === 0,
  );
  await view.getByRole('button', { name: 'Find culprits' }).first().waitFor();
  await window.close();
});
