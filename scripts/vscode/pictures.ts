/**
 * `npm run pictures [-- PART…]`: takes the pictures of the README in the VS Code of the cache, with the packaged extension on a
 * copy of the sample. The sample is quantized twice, so that the former run is drawn behind the last one.
 */

import { mkdirSync, mkdtempSync, realpathSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import type { Locator } from 'playwright-core';
import sharp from 'sharp';
import { eventually } from '../../test/vscode/support/eventually';
import { ROOT } from '../../test/vscode/support/package';
import { runRecipe } from '../../test/vscode/support/sampleRun';
import { copySample, Session } from '../../test/vscode/support/session';
import { chooseSqnr } from '../../test/vscode/support/tuneGoal';
import type { Theme, Workbench } from '../../test/vscode/support/workbench';
import { torchPictures } from './torchPictures';

const PICTURES = path.join(ROOT, 'docs/images');
const MAX_BYTES = 300_000;

/** Twice the pixels of the window, for screens that have them. */
const SCALE = 2;

/** The sample's recipe without its comments, so that a window has room for all of it. */
const recipeText = (observer: string): string => `model: shapes.onnx
backend: ort-cpu
mode: static
calibration: { data: images/calibration, samples: 200, observer: ${observer} }
preprocess: tf
validate: { data: images/validation, labels: images/labels.tsv }
`;

/** Rules for the recipe's picture: one that is right, and two that the editor has something to say about. */
const RULES = `
layers:
  - select: /stage2/0/depthwise/Conv
    quantize: false
    because: one input channel is an order of magnitude larger than the rest
  - select: /stage3/1/depthwise/Convv
    observer: entropy
  - select: op:HardSwish
    weights: { granularity: per-tensor }
gates: { max-accuracy-drop: 1.0 }
`;

const RECIPE = 'shapes.quant.yaml';

function quantizeTwice(folder: string): void {
  for (const observer of ['min-max', 'mse']) {
    writeFileSync(path.join(folder, RECIPE), recipeText(observer));
    runRecipe(folder, RECIPE);
  }
}

/** @param part what is in the picture, or its selector; the whole window unless one is given */
async function take(window: Workbench, name: string, part: Locator | string = 'body'): Promise<void> {
  // Off everything that answers to a pointer, and until what fades has faded.
  await window.page.mouse.move(0, 0);
  await window.page.waitForTimeout(1500);
  const pictured = typeof part === 'string' ? window.page.locator(part) : part;
  const picture = await sharp(await pictured.screenshot())
    .png({ palette: true, effort: 10 })
    .toBuffer();
  const file = path.join(PICTURES, `${name}.png`);
  writeFileSync(file, picture);
  const { size } = statSync(file);
  if (size > MAX_BYTES) throw new Error(`${file} has ${size} bytes, more than ${MAX_BYTES}.`);
  console.log(`${path.relative(ROOT, file)} ${(size / 1000).toFixed(0)} kB`);
}

/** Opens the layer view with its worst layer pinned. */
async function openLayers(window: Workbench): Promise<void> {
  await window.runCommand('Quantscope: Open Layer View');
  const view = window.webview();
  const worst = view.locator('.grid .row[data-layer]').first();
  await worst.click();
  await view.locator('.detail svg.histogram').first().waitFor();
}

async function layerView(session: Session, folder: string, theme: Theme): Promise<void> {
  const window = await session.open({ folder, theme, scale: SCALE });
  await openLayers(window);
  await window.runCommand('View: Toggle Primary Side Bar Visibility');
  await take(window, `layers-${theme}`);
  await window.close();
}

async function sideBar(session: Session, folder: string): Promise<void> {
  const window = await session.open({ folder, scale: SCALE });
  await window.showContainer('Quantscope');
  await openLayers(window);
  await eventually(
    () => window.treeRows('Runs'),
    (rows) => rows.length > 1,
  );
  await take(window, 'side-bar');
  await window.close();
}

/** The three trees in a side bar as narrow as many have it. */
async function trees(session: Session, folder: string, theme: Theme): Promise<void> {
  const window = await session.open({ folder, theme, scale: SCALE });
  await window.showContainer('Quantscope');
  await eventually(
    () => window.treeRows('Runs'),
    (rows) => rows.length > 1,
  );
  await take(window, `trees-${theme}`, '.part.sidebar');
  await window.close();
}

/** What an empty window offers: its views, and the walkthrough. */
async function start(session: Session, theme: Theme): Promise<void> {
  const window = await session.open({ theme, scale: SCALE });
  await window.showContainer('Quantscope');
  await window.view('Models').locator('.welcome-view-content').first().waitFor();
  await take(window, `welcome-${theme}`, '.part.sidebar');
  await window.runCommand('Welcome: Open Walkthrough...');
  await window.pick(/Quantize Your First Model/);
  await window.page.getByText('Find the worst layer').first().waitFor();
  await window.runCommand('View: Toggle Primary Side Bar Visibility');
  await take(window, `walkthrough-${theme}`);
  await window.close();
}

async function recipe(session: Session, folder: string): Promise<void> {
  writeFileSync(path.join(folder, RECIPE), recipeText('mse') + RULES);
  const window = await session.open({ folder, scale: SCALE });
  await window.openFile(RECIPE);
  await window.page.locator('.codelens-decoration a').first().waitFor();
  await window.page.locator('.squiggly-error, .squiggly-warning').first().waitFor();
  await window.runCommand('Problems: Focus on Problems View');
  await window.runCommand('View: Toggle Primary Side Bar Visibility');
  await take(window, 'recipe');
  await window.close();
}

/** One search, seen in each theme, so that the figures are the same in all of them. */
async function tune(session: Session, folder: string): Promise<void> {
  writeFileSync(path.join(folder, RECIPE), recipeText('min-max'));
  const window = await session.open({ folder, theme: 'dark', scale: SCALE });
  await window.runCommand('Quantscope: Tune…');
  await chooseSqnr(window);
  await window.answer('30');
  await window.notification(/holds at least 30 dB/).waitFor({ timeout: TUNE_MS });
  await window.runCommand('View: Toggle Primary Side Bar Visibility');
  for (const theme of THEMES) {
    await window.setTheme(theme);
    await window.runCommand('Notifications: Clear All Notifications');
    await take(window, `tune-${theme}`);
  }
  await window.close();
}

async function toTop(part: Locator): Promise<void> {
  await part.evaluate((element) => {
    element.scrollIntoView({ block: 'start' });
  });
}

/** Everything that is found out about a run: one search, seen in each theme. */
async function findings(session: Session, folder: string): Promise<void> {
  const window = await session.open({ folder, theme: 'dark', scale: SCALE });
  await window.runCommand('Quantscope: Open Layer View');
  const view = window.webview();
  await view.locator('.grid .row[data-layer]').first().waitFor();
  await window.runCommand('View: Toggle Primary Side Bar Visibility');
  await window.runCommand('Quantscope: Find Culprits');
  await view.locator('.verdicts').waitFor({ timeout: JOB_MS });
  await window.runCommand('Quantscope: Measure Prices of Fixes');
  await window.notification(/fixes tried/).waitFor({ timeout: JOB_MS });
  await window.runCommand('Quantscope: Explain the Speed of int8');
  await view.locator('.timings').waitFor({ timeout: JOB_MS });
  await window.page.setViewportSize(TALL);
  for (const theme of THEMES) {
    await window.setTheme(theme);
    await window.runCommand('Notifications: Clear All Notifications');
    await take(window, `culprits-${theme}`);
    await toTop(view.locator('.speed'));
    await take(window, `speed-${theme}`, view.locator('.detail'));
    await view.locator('.proposals .link').first().click();
    await view.locator('.fixes .price').first().waitFor();
    await toTop(view.locator('.blame'));
    await take(window, `prices-${theme}`, view.locator('.detail'));
    await view.locator('.grid').press('Escape');
    await view.locator('.verdicts').waitFor();
  }
  await window.close();
}

/** Room for everything that is said of a run. */
const TALL = { width: 1280, height: 1240 };
const JOB_MS = 120_000;
const TUNE_MS = 120_000;
const THEMES = ['dark', 'light', 'hc-dark'] as const satisfies readonly Theme[];

/** All of them, or those that are named: `npm run pictures -- tune`. */
const PARTS: Readonly<Record<string, (session: Session, folder: string) => Promise<void>>> = {
  layers: async (session, folder) => {
    for (const theme of THEMES) await layerView(session, folder, theme);
  },
  trees: async (session, folder) => {
    for (const theme of THEMES) await trees(session, folder, theme);
  },
  start: async (session) => {
    for (const theme of THEMES) await start(session, theme);
  },
  sideBar,
  findings,
  recipe,
  tune,
  torch: (session, folder) => torchPictures(session, path.join(folder, '../shapesnet'), SCALE, take),
};

async function main(): Promise<void> {
  const named = process.argv.slice(2);
  const parts = Object.entries(PARTS).filter(([name]) => named.length === 0 || named.includes(name));
  const temporary = realpathSync(mkdtempSync(path.join(tmpdir(), 'quantscope-pictures-')));
  const folder = path.join(temporary, 'shapes');
  const session = new Session({});
  try {
    mkdirSync(PICTURES, { recursive: true });
    mkdirSync(folder);
    copySample(folder);
    quantizeTwice(folder);
    await session.start();
    for (const [, picture] of parts) await picture(session, folder);
  } finally {
    await session.stop();
    rmSync(temporary, { recursive: true, force: true, maxRetries: 3 });
  }
}

void main().catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
