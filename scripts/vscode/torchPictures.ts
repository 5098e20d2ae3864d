/** The pictures of a PyTorch model: its layer view, and a layer marked on the line of Python that builds it. */

import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, writeFileSync } from 'node:fs';
import * as path from 'node:path';
import { ROOT } from '../../test/vscode/support/package';
import type { Session } from '../../test/vscode/support/session';
import type { Workbench } from '../../test/vscode/support/workbench';
import { ensureTorch } from '../torch';

const RECIPE = `framework: torch
model: shapesnet.py:build
torch: { weights: shapesnet.pth }
backend: fbgemm
mode: static
calibration: { data: images/calibration, samples: 200 }
preprocess: tf
validate: { data: images/validation, labels: images/labels.tsv }
`;
const LAYER = 'stage1.middle';

/** The sample as a project of its own, quantized. @returns why there is none, where torch is not to be had */
function quantizedProject(folder: string): string | undefined {
  const found = ensureTorch('newest');
  if ('missing' in found) return found.missing;
  mkdirSync(folder, { recursive: true });
  for (const name of ['shapesnet.py', 'shapesnet.pth'])
    cpSync(path.join(ROOT, 'samples/torch', name), path.join(folder, name));
  cpSync(path.join(ROOT, 'samples/images'), path.join(folder, 'images'), { recursive: true });
  writeFileSync(path.join(folder, 'shapesnet.quant.yaml'), RECIPE);
  const env = { ...process.env, QUANTSCOPE_PYTHON: found.python };
  const args = [path.join(ROOT, 'dist/cli.js'), 'run', 'shapesnet.quant.yaml', '--trust'];
  execFileSync(process.execPath, args, { cwd: folder, env, stdio: 'pipe' });
  return undefined;
}

/** @param folder to be made */
export async function torchPictures(
  session: Session,
  folder: string,
  scale: number,
  take: (window: Workbench, name: string) => Promise<void>,
): Promise<void> {
  const missing = quantizedProject(folder);
  if (missing !== undefined) {
    console.log(`No pictures of PyTorch: ${missing}.`);
    return;
  }
  const window = await session.open({ folder, scale });
  await window.openFile('shapesnet.py');
  await window.runCommand('Problems: Focus on Problems View');
  const row = window.page.locator('.markers-panel .monaco-list-row', { hasText: `"${LAYER}"` }).first();
  await row.dblclick();
  await window.runCommand('View: Toggle Primary Side Bar Visibility');
  await window.page.keyboard.press('Control+.');
  await window.page.locator('.action-widget').getByText(`Keep "${LAYER}" in float`).waitFor();
  await take(window, 'python');
  await window.page.keyboard.press('Escape');
  await window.runCommand('View: Close All Editors');
  await window.runCommand('View: Toggle Panel Visibility');
  await window.runCommand('Quantscope: Open Layer View');
  await window.webview().locator('.grid .row[data-layer]', { hasText: LAYER }).first().click();
  for (const theme of ['dark', 'light', 'hc-dark'] as const) {
    await window.setTheme(theme);
    await window.webview().locator('.detail .place').first().waitFor();
    await take(window, `torch-${theme}`);
  }
  await window.close();
}
