/** What the layer view writes, what it draws behind, and how one finds one's way in it: on the sample, run twice. */

import * as assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync, readdirSync } from 'node:fs';
import * as path from 'node:path';
import { before, test } from 'node:test';
import type { FrameLocator } from 'playwright-core';
import sharp from 'sharp';
import { sqnrOf } from '../../../src/shared/measured';
import { parseReport } from '../../../src/shared/reportText';
import type { Report } from '../../../src/shared/report';
import { eventually } from '../support/eventually';
import { runRecipe } from '../support/sampleRun';
import { useVscode } from '../support/session';
import type { Workbench } from '../support/workbench';

const vscode = useVscode();
const RECIPE = 'shapes.quant.yaml';
const JOB_MS = 120_000;

let folder = '';
let reports: readonly [first: Report, last: Report];

before(() => {
  folder = vscode.sample();
  const recipe = path.join(folder, RECIPE);
  const run = (observer: string): Report => {
    writeFileSync(recipe, readFileSync(recipe, 'utf8').replace(/observer: [\w-]+/, `observer: ${observer}`));
    runRecipe(folder);
    return parseReport(readFileSync(path.join(folder, 'shapes.quant/report.json'), 'utf8'), 'report.json');
  };
  reports = [run('min-max'), run('mse')];
});

async function openView(window: Workbench): Promise<FrameLocator> {
  await window.runCommand('Quantscope: Open Layer View');
  const view = window.webview();
  await view.locator('.grid .row[data-layer]').first().waitFor();
  return view;
}

async function exported(window: Workbench, view: FrameLocator, kind: 'svg' | 'png'): Promise<Buffer> {
  const file = path.join(folder, `layers.${kind}`);
  await view.getByRole('button', { name: /^Export/ }).click();
  await view.getByRole('menuitem', { name: new RegExp(kind, 'i') }).click();
  await window.saveAs(file);
  await eventually(
    () => existsSync(file),
    (found) => found,
  );
  await view.locator('.banner', { hasText: 'Saved.' }).waitFor();
  return readFileSync(file);
}

test('the chart is saved as a picture and as a drawing, of the run and of the one before', async () => {
  const window = await vscode.open({ folder });
  const view = await openView(window);
  const svg = (await exported(window, view, 'svg')).toString('utf8');
  const [, last] = reports;
  assert.match(svg, /^<svg [^>]*viewBox/);
  const int8 = last.layers.filter(({ local }) => local !== null).length;
  assert.ok((svg.match(/<rect/g) ?? []).length >= int8, 'a square for each layer in int8');
  assert.match(svg, /previous run/);
  assert.match(svg, />stage2</, 'scopes have their names');
  // What another program makes of both: the same shape, and something drawn.
  const [drawn, picture] = await Promise.all([sharp(Buffer.from(svg)).metadata(), exported(window, view, 'png')]);
  const { width, height } = await sharp(picture).metadata();
  assert.deepEqual([width, height], [2 * drawn.width, 2 * drawn.height]);
  const { channels } = await sharp(picture).stats();
  assert.ok(channels.slice(0, 3).some(({ stdev }) => stdev > 5));
  await window.close();
});

test('every number shows its change since the run before, and since one that is chosen', async () => {
  const [first, last] = reports;
  const window = await vscode.open({ folder });
  const view = await openView(window);
  const change = (sqnrOf(last.outputs[0]?.error) ?? 0) - (sqnrOf(first.outputs[0]?.error) ?? 0);
  const sign = change < 0 ? '−' : '\\+';
  const since = new RegExp(`Δ ${sign}${Math.abs(change).toFixed(1).replace('.', '\\.')}`);
  await view.locator('.figure', { hasText: 'Output SQNR' }).locator('.since', { hasText: since }).waitFor();
  const head = view.locator('.head [role="columnheader"]', { hasText: 'Δ' });
  assert.ok((await head.count()) > 0, 'a column of changes');

  // Two runs chosen in the tree: the first, compared with the last.
  await window.showContainer('Quantscope');
  const rows = await eventually(
    () => window.treeRows('Runs'),
    (found) => found.length >= 2,
  );
  assert.ok(rows.length >= 2);
  await window.close();
});

test('the strip and the wheel zoom, zero shows all again, and words find layers', async () => {
  const window = await vscode.open({ folder });
  const view = await openView(window);
  const selection = view.locator('.brush .selection');
  const width = async (): Promise<number> => Number((await selection.getAttribute('width')) ?? 0);
  const strip = (await view.locator('.overview').boundingBox())!;
  const middle = strip.y + strip.height / 2;
  await window.page.mouse.move(strip.x + strip.width * 0.3, middle);
  await window.page.mouse.down();
  await window.page.mouse.move(strip.x + strip.width * 0.6, middle, { steps: 4 });
  await window.page.mouse.up();
  const brushed = await eventually(width, (found) => found > strip.width * 0.25 && found < strip.width * 0.4);

  const chart = (await view.locator('svg.overlay').boundingBox())!;
  await window.page.mouse.move(chart.x + chart.width / 2, chart.y + chart.height / 3);
  await window.page.mouse.wheel(0, -240);
  await eventually(width, (found) => found > 0 && found < brushed * 0.95);

  await view.locator('svg.overlay').focus();
  await window.page.keyboard.press('0');
  await eventually(
    () => selection.isVisible(),
    (visible) => !visible,
  );

  await window.page.keyboard.press('/');
  await window.page.keyboard.type('depthwise stage3');
  const [, last] = reports;
  const wanted = last.layers
    .filter(({ name }) => name.includes('depthwise') && name.includes('stage3'))
    .map(({ name }) => name);
  assert.ok(wanted.length > 1);
  await view.locator('.toolbar .count', { hasText: `${wanted.length} of ${last.layers.length} layers` }).waitFor();
  const shown = await view.locator('.rows .cell.name').allInnerTexts();
  assert.deepEqual(shown.toSorted(), wanted.toSorted());
  await window.close();
});

test('the view tells how far a run is, and shows its numbers when it has ended', async () => {
  const window = await vscode.open({ folder });
  const view = await openView(window);
  const before = readdirSync(path.join(folder, 'shapes.quant/runs')).length;
  await view.getByRole('button', { name: 'Run again' }).first().click();
  const banner = view.locator('.banner.job');
  await banner.getByRole('progressbar').waitFor();
  assert.match(await banner.innerText(), /Quantizing/);
  assert.equal(await view.getByRole('button', { name: 'Benchmark' }).getAttribute('aria-disabled'), 'true');
  await banner.waitFor({ state: 'detached', timeout: JOB_MS });
  await view.locator('.age', { hasText: /just now|second/ }).waitFor();
  assert.equal(readdirSync(path.join(folder, 'shapes.quant/runs')).length, before + 1);
  await window.close();
});

test('a press of Cancel counts, however slow it is and whatever is reported meanwhile', async () => {
  const window = await vscode.open({ folder });
  const view = await openView(window);
  await view.getByRole('button', { name: 'Find culprits' }).first().click();
  const banner = view.locator('.banner.job');
  // Each report draws the button anew.
  const place = await eventually(
    () => banner.getByRole('button', { name: 'Cancel' }).boundingBox(),
    (found) => found !== null,
  );
  await window.page.mouse.move(place!.x + place!.width / 2, place!.y + place!.height / 2);
  await window.page.mouse.down();
  const during = await banner.innerText();
  await window.page.waitForTimeout(1_000);
  assert.equal(await banner.innerText(), during, 'nothing is drawn under the pointer');
  await window.page.mouse.up();
  await banner.waitFor({ state: 'detached' });
  assert.ok(!existsSync(path.join(folder, 'shapes.quant/culprits.json')));
  await window.close();
});
