/**
 * The layers tree on the sample: it shows the report, selects together with the layer view, sorts, filters, follows
 * tensors, fixes, and pages what is long. And the tree of models, whose figures lead there.
 */

import * as assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import * as path from 'node:path';
import { before, test } from 'node:test';
import type { Locator } from 'playwright-core';
import { PAGE } from '../../../src/extension/layers/layerNodes';
import type { Report } from '../../../src/shared/report';
import { parseReport } from '../../../src/shared/reportText';
import { eventually } from '../support/eventually';
import { runRecipe } from '../support/sampleRun';
import { useVscode } from '../support/session';
import type { TreeRow, Workbench } from '../support/workbench';

const vscode = useVscode();
const WORST = '/stage2/0/depthwise/Conv';
/** Its scopes hold nothing else, so they have no rows of their own. */
const FIRST = 'stem/conv/Conv';
const RUN_MS = 120_000;

let folder = '';
let report: Report;
/** One for all tests but those of another workspace; each begins and ends in graph order, without a filter. */
let window: Workbench;

const reportFile = (of: string): string => path.join(of, 'shapes.quant/report.json');
const read = (of: string): Report => parseReport(readFileSync(reportFile(of), 'utf8'), 'report.json');

before(async () => {
  folder = vscode.sample();
  runRecipe(folder);
  report = read(folder);
  window = await vscode.open({ folder });
  await window.runCommand('Quantscope: Open Layer View');
  await window.showContainer('Quantscope');
});

function rows(accept: (rows: readonly TreeRow[]) => boolean, of = window): Promise<readonly TreeRow[]> {
  return eventually(() => of.treeRows('Layers'), accept);
}

/** Of all layers in a row, which begins with the name for those who hear it. */
const row = (name: string): Locator => window.view('Layers').locator(`.monaco-list-row[aria-label^="${name},"]`);
const isOf = (found: TreeRow | undefined, name: string): boolean => found?.aria.startsWith(`${name},`) === true;
const nameOf = (found: TreeRow | undefined): string => found?.aria.split(',')[0] ?? '';

const told = (text: string): Promise<void> => window.view('Layers').getByText(text, { exact: true }).waitFor();

async function clearFilter(): Promise<void> {
  await window.runCommand('Quantscope: Clear Layer Filter');
  await rows((found) => found.length > 3);
}

test('tree and layer view select together, sort and filter', async () => {
  const graph = await rows((found) => found.length > 5);
  assert.deepEqual([graph[0]?.label, graph[0]?.level], [FIRST, 1]);

  await window.runCommand('Quantscope: Sort Layers Worst First');
  const [worst, second] = await rows(([first]) => isOf(first, WORST));
  assert.equal(worst?.label, '…/depthwise/Conv');
  assert.match(worst.description, /^\d+\.\d dB {2}\/stage2\/0 {2}Conv\+Clip$/);
  assert.match(worst.aria, /int8/);

  // From the tree to the view…
  const view = window.webview();
  await row(nameOf(second)).click();
  await view.locator('.detail h2', { hasText: nameOf(second) }).waitFor();
  // …and back.
  await view.locator('.grid .row[data-layer]').first().click();
  await rows((found) => found.find((each) => isOf(each, WORST))?.selected === true);

  await window.ask('Quantscope: Filter Layers by Name…', 'hardswish');
  const swishes = await rows((found) => found.length === 1);
  assert.ok(swishes.every(({ description }) => description.endsWith('HardSwish')));
  await told(`1 of ${report.layers.length} layers`);
  await clearFilter();
  await window.runCommand('Quantscope: Sort Layers in Graph Order');
  await rows(([first]) => first?.label === FIRST);
});

test('a row below the threshold is marked, and hovering tells what was measured', async () => {
  await window.runCommand('Quantscope: Sort Layers Worst First');
  const [, second] = await rows(([first]) => isOf(first, WORST));
  const colour = (name: string): Promise<string> =>
    row(name)
      .locator('.label-name')
      .first()
      .evaluate((label) => getComputedStyle(label).color);
  assert.notEqual(await colour(WORST), await colour(nameOf(second)));
  await row(WORST).hover();
  const hover = window.page.locator('.monaco-hover:visible', { hasText: 'Local SQNR' });
  await hover.waitFor();
  // Markdown keeps the spaces of a text from being broken.
  const text = (await hover.innerText()).replaceAll('\u00a0', ' ');
  assert.match(text, /Accumulated SQNR/);
  assert.ok(text.includes(WORST) && text.includes('runs as QLinearConv'), text);
  await window.page.mouse.move(0, 0);
  await window.runCommand('Quantscope: Sort Layers in Graph Order');
  await rows(([first]) => first?.label === FIRST);
});

test('a filter by status leaves the layers of the chosen ones', async () => {
  const { quantized, float, fallback } = report.counts;
  assert.ok(quantized > 0 && float > 0 && fallback > 0);
  await window.runCommand('Quantscope: Sort Layers Worst First');
  await window.runCommand('Quantscope: Filter Layers by Status…');
  assert.deepEqual(await window.picks(), ['int8', 'Float on purpose', 'Fallback to float']);
  await window.pick('int8');
  await window.accept();
  const left = await rows((found) => found.length === float + fallback);
  assert.ok(left.every(({ aria }) => /Float on purpose|Fallback to float/.test(aria)));
  await told(`${float + fallback} of ${report.layers.length} layers`);
  await clearFilter();
  await window.runCommand('Quantscope: Sort Layers in Graph Order');
  await rows(([first]) => first?.label === FIRST);
});

test('a layer leads to what makes its input and to what reads its output', async () => {
  await window.runCommand('Quantscope: Sort Layers Worst First');
  await rows(([first]) => isOf(first, WORST));
  const at = report.layers.findIndex(({ name }) => name === WORST);
  const [producer, consumer] = [report.layers[at - 1]?.name ?? '', report.layers[at + 1]?.name ?? ''];
  const selected = (name: string): Promise<unknown> =>
    rows((found) => found.find((each) => isOf(each, name))?.selected === true);

  await window.contextMenu(row(WORST), ['Go to Consumer']);
  await selected(consumer);
  await window.webview().locator('.detail h2', { hasText: consumer }).waitFor();
  await window.contextMenu(row(consumer), ['Go to Producer']);
  await selected(WORST);
  await window.runCommand('Quantscope: Go to Producer');
  await selected(producer);

  const first = report.layers[0]?.name ?? '';
  await window.ask('Quantscope: Filter Layers by Name…', first);
  // A tree that is drawn anew closes the menu above it, which then looks as if it had been followed.
  await told(`1 of ${report.layers.length} layers`);
  await window.contextMenu(row(first), ['Go to Producer']);
  await window.notification(`${first} reads only inputs of the model.`).waitFor();
  await window.runCommand('Notifications: Clear All Notifications');
  await clearFilter();
  await window.runCommand('Quantscope: Sort Layers in Graph Order');
});

test('the last result of a model stands in the tree of models, and its worst layer leads to the layers', async () => {
  const models = await window.treeRows('Models');
  const { fp32, int8 } = report.accuracy?.top1 ?? { fp32: NaN, int8: NaN };
  const figures = new Map(models.map(({ label, description }) => [label, description]));
  assert.ok(figures.get('shapes.onnx')?.startsWith(`${fp32.toFixed(1)} → ${int8.toFixed(1)} %`));
  assert.ok(figures.get('Top-1')?.startsWith(`${fp32.toFixed(1)} → ${int8.toFixed(1)} %`));
  assert.match(figures.get('Size') ?? '', /^2\.\d\d× smaller, \d\d\.\d kB$/);
  const { quantized, fallback, float } = report.counts;
  assert.equal(figures.get('Layers'), `${quantized} int8, ${fallback} fallback, ${float} float`);
  await window.treeRow('Models', 'Worst layer').click();
  await rows((found) => found.some((each) => each.selected && isOf(each, WORST)));
});

test('a fix of the tree is only written where a person never wants a run after it', async () => {
  const recipe = path.join(folder, 'shapes.quant.yaml');
  await window.runCommand('Quantscope: Sort Layers Worst First');
  await rows(([first]) => isOf(first, WORST));
  await window.contextMenu(row(WORST), ['Fix This Layer…']);
  const [preferred = ''] = await window.picks();
  assert.equal(preferred, `Keep "${WORST}" in float`);
  await window.pick(preferred);
  await window.press('shapes.quant.yaml has changed. Quantize again?', 'Never');
  assert.match(readFileSync(recipe, 'utf8'), /^layers:\n {2}- select: \/stage2\/0\/depthwise\/Conv$/m);
  const stale = window.webview().locator('.banner.stale', { hasText: 'The recipe has changed.' });
  await stale.waitFor();

  // The answer holds for the next fix as well, which nothing asks about.
  const second = nameOf((await window.treeRows('Layers'))[1]);
  await window.contextMenu(row(second), ['Keep This Layer in Float']);
  await eventually(
    () => readFileSync(recipe, 'utf8'),
    (text) => text.includes(`- select: ${second}\n`),
  );
  assert.deepEqual(await window.notifications(), []);
  assert.equal(read(folder).created, report.created);

  // Nothing runs until it is asked for.
  await stale.getByRole('button', { name: 'Run again' }).click();
  const again = await eventually(
    () => read(folder),
    ({ created }) => created !== report.created,
    RUN_MS,
  );
  assert.equal(again.layers.find(({ name }) => name === WORST)?.status, 'float');
  await stale.waitFor({ state: 'detached' });
});

test('a tree of many layers shows more of them page by page', async () => {
  const large = vscode.sample();
  runRecipe(large);
  const one = report.layers[0]!;
  const count = 2 * PAGE + 50;
  const layers = Array.from({ length: count }, (_, index) => ({ ...one, name: `block/${index}`, scope: 'block' }));
  writeFileSync(reportFile(large), JSON.stringify({ ...read(large), layers }));
  const other = await vscode.open({ folder: large });
  await other.showContainer('Quantscope');
  await rows((found) => found.length > 5, other);
  const last = async (label: string): Promise<void> => {
    await other.view('Layers').locator('.monaco-list').first().focus();
    await eventually(
      async () => {
        await other.page.keyboard.press('End');
        return (await other.treeRows('Layers')).at(-1)?.label;
      },
      (found) => found === label,
    );
  };
  await last(`Show ${PAGE} more of ${PAGE + 50}`);
  await other.page.keyboard.press('Enter');
  await last('Show 50 more of 50');
  await other.page.keyboard.press('Enter');
  await last(String(count - 1));
  await other.close();
});
