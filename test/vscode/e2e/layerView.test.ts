/** The layer view on the sample, used as a person does: by pointer and by keyboard, in every kind of theme. */

import * as assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import * as path from 'node:path';
import { before, test } from 'node:test';
import type { FrameLocator } from 'playwright-core';
import { sqnrOf } from '../../../src/shared/measured';
import { parseReport } from '../../../src/shared/reportText';
import type { Report } from '../../../src/shared/report';
import { severeViolations } from '../support/axe';
import { eventually } from '../support/eventually';
import { runRecipe } from '../support/sampleRun';
import { useVscode } from '../support/session';
import type { Theme, Workbench } from '../support/workbench';

const vscode = useVscode();
const WORST = '.grid .row[data-layer]';
const WHOLE = 'Where to look first';

let folder = '';
let report: Report;

before(() => {
  folder = vscode.sample();
  runRecipe(folder);
  report = parseReport(readFileSync(path.join(folder, 'shapes.quant/report.json'), 'utf8'), 'report.json');
});

async function openView(window: Workbench): Promise<FrameLocator> {
  await window.runCommand('Quantscope: Open Layer View');
  const view = window.webview();
  await view.locator(WORST).first().waitFor();
  return view;
}

const heading = (view: FrameLocator): Promise<string> => view.locator('.detail h2').innerText();

function byError({ layers }: Report): string[] {
  const measured = layers.flatMap(({ name, local }) => {
    const sqnr = sqnrOf(local);
    return sqnr === undefined ? [] : [{ name, sqnr }];
  });
  return measured.sort((a, b) => a.sqnr - b.sqnr).map(({ name }) => name);
}

test('every layer is drawn, the worst first, and the keyboard reaches each', async () => {
  const window = await vscode.open({ folder });
  const view = await openView(window);
  const policy = await view.locator('meta[http-equiv="Content-Security-Policy"]').getAttribute('content');
  assert.match(policy ?? '', /^default-src 'none'; script-src 'nonce-[\w-]{22}'; style-src /);
  assert.doesNotMatch(policy ?? '', /unsafe/);
  assert.match(await view.locator('.toolbar .count').innerText(), new RegExp(`^${report.layers.length} layers$`));
  await view.locator('.grid').focus();
  const [worst = '', second = ''] = byError(report);

  // The first arrow takes the first row, Enter pins it, Enter again goes on to its details.
  await window.page.keyboard.press('ArrowDown');
  await eventually(
    () => heading(view),
    (name) => name === worst,
  );
  await window.page.keyboard.press('Enter');
  await view.locator('.grid .row.pinned').waitFor();
  await window.page.keyboard.press('ArrowDown');
  await eventually(
    () => heading(view),
    (name) => name === second,
  );
  await window.page.keyboard.press('Escape');
  await view.locator('.grid .row.pinned').waitFor({ state: 'detached' });

  await window.page.keyboard.press('/');
  await window.page.keyboard.type('hardswish');
  const swishes = report.layers.filter(({ op }) => op === 'HardSwish').length;
  assert.ok(swishes > 0);
  await view.locator('.toolbar .count', { hasText: `${swishes} of ${report.layers.length} layers` }).waitFor();
  await window.page.keyboard.press('Escape');
  await view.locator('.toolbar .count', { hasText: `${report.layers.length} layers` }).waitFor();
  await window.close();
});

test('a layer that was left stays left, wherever the pointer rests and however late the tree follows', async () => {
  const window = await vscode.open({ folder });
  const view = await openView(window);
  // The tree of layers follows each choice, and must not call back one that is over.
  await window.runCommand('Quantscope: Focus on Layers View');
  for (const wait of [90, 120, 160, 200, 300]) {
    await view.locator(WORST).nth(2).click();
    await window.page.waitForTimeout(wait);
    await view.locator('.grid').press('Escape');
    await window.page.waitForTimeout(700);
    assert.equal(await view.locator('.grid .row.pinned').count(), 0, `after ${wait} ms`);
    assert.equal(await view.locator('.detail').getByRole('heading', { name: WHOLE }).count(), 1, `after ${wait} ms`);
  }
  // Rows that are drawn anew under a pointer at rest are not pointed at.
  await view.locator('.grid [data-key="sort-name"]').press('Enter');
  await window.page.waitForTimeout(300);
  await view.getByRole('heading', { name: WHOLE }).waitFor();
  await window.close();
});

test('a selected layer shows what was measured of it, and outlives a reload of the window', async () => {
  const window = await vscode.open({ folder });
  const view = await openView(window);
  const [worst = ''] = byError(report);
  await view.locator(WORST).first().click();
  await eventually(
    () => heading(view),
    (name) => name === worst,
  );
  await view.locator('.detail svg.histogram').first().waitFor();
  await view.locator('.fixes .button.primary').waitFor();

  // Another tab in front of it, and back.
  await window.openFile('classes.txt');
  await window.page.getByRole('tab', { name: /shapes layers/ }).click();
  await eventually(
    () => heading(window.webview()),
    (name) => name === worst,
  );
  await window.reloadByCommand();
  await eventually(
    () => heading(window.webview()),
    (name) => name === worst,
  );
  await window.close();
});

test('the table is exported as CSV', async () => {
  const window = await vscode.open({ folder });
  const view = await openView(window);
  await view.getByRole('button', { name: /^Export/ }).click();
  await view.getByRole('menuitem', { name: /CSV/ }).click();
  const file = path.join(folder, 'layers.csv');
  await window.saveAs(file);
  await eventually(
    () => Promise.resolve(existsSync(file)),
    (found) => found,
  );
  const [head = '', ...rows] = readFileSync(file, 'utf8').trimEnd().split(/\r?\n/);
  assert.match(head, /layer/i);
  assert.equal(rows.length, report.layers.length);
  await window.close();
});

test('a changed recipe makes the numbers stale, a broken report says so', async () => {
  const window = await vscode.open({ folder });
  const view = await openView(window);
  const recipe = path.join(folder, 'shapes.quant.yaml');
  const text = readFileSync(recipe, 'utf8');
  writeFileSync(recipe, text.replace(/^mode:.*\n/m, '') + '\nformat: qoperator\n');
  await view.locator('.banner.stale', { hasText: 'The recipe has changed.' }).waitFor();
  writeFileSync(recipe, text);
  await view.locator('.banner.stale').waitFor({ state: 'detached' });

  const file = path.join(folder, 'shapes.quant/report.json');
  const good = readFileSync(file, 'utf8');
  writeFileSync(file, '{');
  await view.getByRole('heading', { name: 'The report cannot be read' }).waitFor();
  writeFileSync(file, good);
  await view.locator(WORST).first().waitFor();
  await window.close();
});

for (const theme of ['dark', 'light', 'hc-dark', 'hc-light'] as const satisfies readonly Theme[]) {
  test(`nobody is kept out in ${theme}`, async () => {
    const window = await vscode.open({ folder, theme });
    const view = await openView(window);
    assert.deepEqual(await severeViolations(view), [], 'without a selection');
    await view.locator(WORST).first().click();
    await view.locator('.detail svg.histogram').first().waitFor();
    assert.deepEqual(await severeViolations(view), [], 'with a layer selected');
    await window.close();
  });
}
