/** Quantize…, as a person does it: from the menu of a model without a recipe to the result. */

import * as assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { test } from 'node:test';
import { useVscode } from '../support/session';

const vscode = useVscode();

/** The last line of each question's title, as the person reads it. */
const RESULT = /\d+ of \d+ layers in int8/;

test('a model without a recipe gets one by three answers, and runs', async () => {
  const folder = vscode.sample();
  fs.rmSync(path.join(folder, 'shapes.quant.yaml'));
  const window = await vscode.open({ folder });
  await window.explorerContextMenu('shapes.onnx', ['Quantscope', 'Quantize…']);
  const backends = await window.picks();
  assert.equal(backends[0], 'onnxruntime, CPU');
  await window.pick('onnxruntime, CPU');
  await window.quickInput.getByText('images/calibration').waitFor();
  await window.pick(/images\/calibration/);
  await window.quickInput.getByText('Guessed from the input').waitFor();
  await window.pick('tf');
  await window.notification('Quantizing shapes').waitFor();
  await window.notification(RESULT).waitFor({ timeout: 120_000 });
  await window.showContainer('Quantscope');
  await window.treeRow('Models', 'shapes.onnx').waitFor();
  const recipe = fs.readFileSync(path.join(folder, 'shapes.quant.yaml'), 'utf8');
  assert.match(recipe, /^ {2}data: images\/calibration$/m);
  assert.match(recipe, /^ {2}labels: images\/labels.tsv$/m);
  assert.ok(fs.existsSync(path.join(folder, 'shapes.quant/shapes.int8.onnx')));
});
