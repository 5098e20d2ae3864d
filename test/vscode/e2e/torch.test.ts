/** A PyTorch model as a person meets it: from the menu of its Python file to a better one, by a fix on the line that hurts. */

import * as assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { test } from 'node:test';
import { torchPython } from '../../helpers/torch';
import { ROOT } from '../support/package';
import { eventually } from '../support/eventually';
import { useVscode } from '../support/session';
import type { Workbench } from '../support/workbench';

const vscode = useVscode();
const { python, reason } = torchPython();

const SAMPLES = path.join(ROOT, 'samples');
const CALIBRATION = 24;
const VALIDATION = 48;
const RUN_MS = 180_000;
/** The line of the sample that builds its PReLU, and the layer that this makes. */
const LINE = 'self.stage1 = Block(16, 24, 1, nn.PReLU(24))';
const LAYER = 'stage1.middle';

interface Report {
  readonly layers: readonly {
    readonly name: string;
    readonly status: string;
    readonly local: { readonly sqnr: number | null } | null;
  }[];
  readonly outputs: readonly { readonly error: { readonly sqnr: number } }[];
}

/** The network of the sample with its weights and a few of its images, and no recipe. */
function project(): string {
  const files: Record<string, Uint8Array> = {};
  const take = (from: string, to: string): void => {
    files[to] = fs.readFileSync(path.join(SAMPLES, from));
  };
  take('torch/shapesnet.py', 'shapesnet.py');
  take('torch/shapesnet.pth', 'shapesnet.pth');
  const images = (kind: string, count: number): string[] =>
    fs
      .readdirSync(path.join(SAMPLES, 'images', kind))
      .sort()
      .slice(0, count);
  const validation = images('validation', VALIDATION);
  for (const name of images('calibration', CALIBRATION))
    take(`images/calibration/${name}`, `images/calibration/${name}`);
  for (const name of validation) take(`images/validation/${name}`, `images/validation/${name}`);
  const labels = fs.readFileSync(path.join(SAMPLES, 'images/labels.tsv'), 'utf8').split('\n');
  const kept = labels.filter((line) => validation.includes(line.split('\t')[0] ?? ''));
  files['images/labels.tsv'] = Buffer.from(`${kept.join('\n')}\n`);
  return vscode.workspace(files);
}

const settings = { 'quantscope.python': python };
const RESULT = /shapesnet: \d+ of \d+ layers in int8/;

function readReport(folder: string): Report {
  return JSON.parse(fs.readFileSync(path.join(folder, 'shapesnet.torch.quant/report.json'), 'utf8')) as Report;
}

/** The questions from the mode on, which every PyTorch model has. */
async function answerTheRest(window: Workbench): Promise<void> {
  assert.equal((await window.picks())[0], 'Static, FX graph mode');
  await window.pick('Static, FX graph mode');
  // Only once Python has said what it has.
  await window.quickInput.getByText('PyTorch fbgemm').waitFor({ timeout: RUN_MS });
  assert.equal((await window.picks())[0], 'PyTorch fbgemm (x86)');
  await window.pick('PyTorch fbgemm (x86)');
  await window.quickInput.getByText('images/calibration').waitFor();
  await window.pick(/images\/calibration/);
  await window.quickInput.getByText('Guessed from the input').waitFor();
  await window.pick('tf, any size');
}

/** Problems of the file that is open, as the list of problems shows them. */
async function problems(window: Workbench): Promise<string[]> {
  return window.page.locator('.markers-panel .monaco-list-row').allInnerTexts();
}

test('from a Python file to a report, and from the line that hurts to a better model', { skip: reason }, async () => {
  const folder = project();
  const window = await vscode.open({ folder, settings });
  await window.explorerContextMenu('shapesnet.py', ['Quantscope', 'Quantize…']);
  await window.quickInput.getByText('Which function builds').or(window.quickInput.getByText('build')).first().waitFor();
  assert.deepEqual(await window.picks(), ['build', 'ShapesNet']);
  await window.pick('build');
  await window.quickInput.getByText('shapesnet.pth').waitFor();
  await window.pick('shapesnet.pth');
  await window.quickInput.getByText('Static, FX graph mode').waitFor();
  await answerTheRest(window);
  await window.notification(RESULT).waitFor({ timeout: RUN_MS });
  const recipe = fs.readFileSync(path.join(folder, 'shapesnet.quant.yaml'), 'utf8');
  for (const line of ['framework: torch', 'model: shapesnet.py:build', '  weights: shapesnet.pth', 'mode: static']) {
    assert.ok(recipe.split('\n').includes(line), `${line} in\n${recipe}`);
  }
  const before = readReport(folder);
  assert.ok((before.layers.find(({ name }) => name === LAYER)?.local?.sqnr ?? Infinity) < 20);

  // The layer stands on the line that builds it, first in the list of problems.
  await window.openFile('shapesnet.py');
  await window.runCommand('Problems: Focus on Problems View');
  const told = await eventually(
    () => problems(window),
    (messages) => messages.some((message) => message.includes(`"${LAYER}" (PReLU) has`)),
  );
  assert.ok(told.length < before.layers.length);

  // Its quick fix changes the recipe, and the next run tells what that brought.
  const row = window.page.locator('.markers-panel .monaco-list-row', { hasText: `"${LAYER}"` }).first();
  await row.dblclick();
  await window.statusItem(/Ln \d+, Col \d+/).waitFor();
  const menu = window.page.locator('.action-widget');
  // The list of problems keeps the keys for a moment after the editor has come.
  await eventually(
    async () => {
      await window.page.keyboard.press('Escape');
      await window.page.keyboard.press('Control+.');
      const fix = menu.getByText(`Keep "${LAYER}" in float`);
      return fix.waitFor({ timeout: 3000 }).then(
        () => true,
        () => false,
      );
    },
    (offered) => offered,
  );
  await menu.getByText('Show in Layer View').waitFor();
  await menu.getByText(`Keep "${LAYER}" in float`).click();
  await window.press('shapesnet.quant.yaml has changed', 'Run Again');
  await eventually(
    () => readReport(folder),
    ({ layers }) => layers.find(({ name }) => name === LAYER)?.status === 'float',
    RUN_MS,
  );
  const after = readReport(folder);
  assert.ok(
    after.outputs[0]!.error.sqnr > before.outputs[0]!.error.sqnr + 3,
    JSON.stringify([before.outputs, after.outputs]),
  );
  assert.match(
    fs.readFileSync(path.join(folder, 'shapesnet.quant.yaml'), 'utf8'),
    /select: stage1\.middle\n {4}quantize: false/,
  );
  await eventually(
    () => problems(window),
    (messages) => !messages.some((message) => message.includes(`"${LAYER}"`)),
  );

  // The layer view leads back to the line.
  await window.runCommand('Quantscope: Open Layer View');
  const view = window.webview();
  await view.locator('.grid .row[data-layer]').first().click();
  await window.page.keyboard.press('/');
  await window.page.keyboard.type(LAYER);
  await view.locator('.grid .row[data-layer]', { hasText: LAYER }).first().click();
  await view.getByRole('heading', { name: LAYER }).waitFor();
  const place = view.getByRole('button', { name: /^shapesnet\.py:\d+$/ });
  await place.first().click();
  await eventually(
    () => window.editorText(),
    (text) => text.includes(LINE),
  );
  const number = fs
    .readFileSync(path.join(folder, 'shapesnet.py'), 'utf8')
    .split('\n')
    .findIndex((line) => line.trim() === LINE);
  await window.statusItem(new RegExp(`Ln ${number + 1}, Col`)).waitFor();
  const items = await window.contextMenuItems(await window.explorerRow('shapesnet.py'), ['Quantscope']);
  assert.deepEqual(items, [
    'Quantize…',
    'Inspect Layers',
    'Open Layer View',
    'Benchmark',
    'Benchmark fp32 against int8',
    'Open Recipe',
    'Export to ONNX',
  ]);

  await window.explorerContextMenu('shapesnet.py', ['Quantscope', 'Benchmark fp32 against int8']);
  const sentence =
    /^shapesnet: int8 takes .*(as fast as|slower than|told apart from) fp32( on this machine)? \(.*\)\.$/;
  await window.notification(sentence).waitFor({ timeout: RUN_MS });
  await window.press(sentence, 'Show Table');
  const first = window.webview().locator('table tr td:first-child');
  await eventually(
    () => first.allInnerTexts(),
    (names) => names.join() === 'fp32,int8',
  );
  await window.close();
});

test('weights alone ask for the function that builds their network', { skip: reason }, async () => {
  const folder = project();
  const window = await vscode.open({ folder, settings });
  const items = await window.contextMenuItems(await window.explorerRow('shapesnet.pth'), ['Quantscope']);
  assert.deepEqual(items, ['Quantize…', 'Inspect Layers', 'Benchmark']);
  await window.explorerContextMenu('shapesnet.pth', ['Quantscope', 'Quantize…']);
  await window.quickInput.getByText('shapesnet.py:').first().waitFor();
  await window.pick('build');
  await window.quickInput.getByText('Static, FX graph mode').waitFor();
  await answerTheRest(window);
  await window.notification(RESULT).waitFor({ timeout: RUN_MS });
  assert.match(
    fs.readFileSync(path.join(folder, 'shapesnet.quant.yaml'), 'utf8'),
    /model: shapesnet\.py:build\n[\s\S]*weights: shapesnet\.pth/,
  );
  await window.close();
});

test(
  'a Python without torch is named with what installs it, and no recipe is left behind',
  { skip: reason },
  async () => {
    const folder = project();
    const bare = path.join(folder, 'no-python');
    const window = await vscode.open({ folder, settings: { 'quantscope.python': bare } });
    await window.explorerContextMenu('shapesnet.pth', ['Quantscope', 'Quantize…']);
    await window.quickInput.getByText('shapesnet.py:').first().waitFor();
    await window.pick('build');
    await window.quickInput.getByText('Static, FX graph mode').waitFor();
    await window.pick('Static, FX graph mode');
    await window.notification(/no-python/).waitFor();
    const [told] = await window.notifications();
    assert.equal(told?.severity, 'error');
    assert.ok(told.buttons.includes('Select Interpreter'));
    assert.ok(!fs.existsSync(path.join(folder, 'shapesnet.quant.yaml')));
    await window.close();
  },
);

test('in a restricted workspace nothing of a Python file is run', async () => {
  const window = await vscode.open({ folder: project(), trusted: false });
  const items = await window.contextMenuItems(await window.explorerRow('shapesnet.py'));
  assert.ok(!items.includes('Quantscope'), items.join());
  await window.close();
});

const BRANCHING = `
import torch
from torch import nn


class Gate(nn.Module):
    def forward(self, x):
        return x * 2 if bool(x.mean() > 0) else x


def build():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 8, 3), Gate(), nn.Conv2d(8, 4, 3)).eval()
`;

test('a model that cannot be traced is kept whole where it branches, by a button', { skip: reason }, async () => {
  const images = fs.readdirSync(path.join(SAMPLES, 'images/calibration')).slice(0, 4);
  const files = images.map((name): [string, Uint8Array] => [
    `images/calibration/${name}`,
    fs.readFileSync(path.join(SAMPLES, 'images/calibration', name)),
  ]);
  const folder = vscode.workspace({ 'gated.py': BRANCHING, ...Object.fromEntries(files) });
  const recipe = path.join(folder, 'gated.quant.yaml');
  const window = await vscode.open({ folder, settings });
  await window.explorerContextMenu('gated.py', ['Quantscope', 'Quantize…']);
  await window.quickInput.getByText('build').first().waitFor();
  await window.pick('build');
  await window.quickInput.getByText('Static, FX graph mode').waitFor();
  await answerTheRest(window);
  const failure = /FX cannot trace the model/;
  await window.notification(failure).waitFor({ timeout: RUN_MS });
  const before = fs.readFileSync(recipe, 'utf8');
  await window.press(failure, 'Keep "1" Whole');
  await window.notification('gated.quant.yaml has changed').waitFor();
  assert.match(fs.readFileSync(recipe, 'utf8'), /^torch:\n {2}leaves: \["?1"?\]$|^torch: \{ leaves: \["1"\] \}$/m);

  // The layer view offers the same. It goes on where the first button was let go.
  fs.writeFileSync(recipe, before);
  await window.runCommand('Quantscope: Open Layer View');
  const view = window.webview();
  await view.getByText('gated.py could not be quantized').waitFor();
  await view.getByRole('button', { name: 'Export to ONNX' }).waitFor();
  await view.getByRole('button', { name: 'Keep "1" Whole' }).click();
  await window.press('gated.quant.yaml has changed', 'Run Again');
  await view.locator('.grid .row[data-layer]').first().waitFor({ timeout: RUN_MS });
  const { layers } = JSON.parse(fs.readFileSync(path.join(folder, 'gated.torch.quant/report.json'), 'utf8')) as Report;
  assert.deepEqual(
    layers.map(({ name, status }) => [name, status]),
    [
      ['0', 'quantized'],
      ['1', 'fallback'],
      ['2', 'quantized'],
    ],
  );
  await window.close();
});

const BRANCHING_ITSELF = `
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Conv2d(3, 8, 3), nn.Conv2d(8, 4, 3)

    def forward(self, x):
        x = self.first(x)
        if bool(x.mean() > -1e6):
            x = torch.relu(x)
        return self.second(x)


def build():
    torch.manual_seed(0)
    return Net().eval()
`;

test('a model that branches itself is moved to ONNX by a button, and quantized there', { skip: reason }, async () => {
  const recipe = `framework: torch
model: own.py:build
calibration:
  data: synthetic
torch:
  inputs: [[batch, 3, 16, 16]]
`;
  const folder = vscode.workspace({ 'own.py': BRANCHING_ITSELF, 'own.quant.yaml': recipe });
  const window = await vscode.open({ folder, settings });
  // Recipes of PyTorch are known once the workspace was searched.
  await eventually(
    async () => window.contextMenuItems(await window.explorerRow('own.quant.yaml'), ['Quantscope']),
    (items) => items.includes('Export to ONNX'),
  );
  await window.explorerContextMenu('own.quant.yaml', ['Quantscope', 'Quantize…']);
  await window.press(/FX cannot trace the model.*Export the model to ONNX/s, 'Export to ONNX');
  const exported = /own\.fp32\.onnx is written\. Agreement with PyTorch: .*branches on its data.*own\.py:13/s;
  await window.notification(exported).waitFor({ timeout: RUN_MS });
  await eventually(
    () => window.editorText(),
    (text) => text.includes('model: own.fp32.onnx'),
  );
  await window.press(exported, 'Quantize');
  await window.notification(/own\.fp32: 2 of \d+ layers in int8/).waitFor({ timeout: RUN_MS });
  const report = JSON.parse(fs.readFileSync(path.join(folder, 'own.fp32.quant/report.json'), 'utf8')) as Report;
  assert.ok(report.layers.filter(({ status }) => status === 'quantized').length >= 2);
  assert.equal(fs.readFileSync(path.join(folder, 'own.quant.yaml'), 'utf8'), recipe);

  // What is there is never overwritten, and what is ONNX already needs no export.
  await window.explorerContextMenu('own.quant.yaml', ['Quantscope', 'Export to ONNX']);
  await window.notification(/own\.fp32\.onnx exists\. Move it away/).waitFor({ timeout: RUN_MS });
  const items = await window.contextMenuItems(await window.explorerRow('own.fp32.onnx'), ['Quantscope']);
  assert.ok(!items.includes('Export to ONNX'), items.join());
  await window.close();
});
