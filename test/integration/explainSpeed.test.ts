/** Why int8 is not faster, asked in the terminal of the embedded sample. */

import assert from 'node:assert/strict';
import { copyFileSync, existsSync, writeFileSync } from 'node:fs';
import * as path from 'node:path';
import { test } from 'node:test';
import type { Benchmark } from '../../src/shared/benchmark';
import type { Report } from '../../src/shared/report';
import { SLOW_CAUSES, type SlowFinding } from '../../src/shared/slowness';
import { documentOf, missing, reportOf, runCli, SAMPLES, temporaryFolder } from './support';

test('benchmark --explain times both models of a run, and has a fix for each cause', { skip: missing() }, async () => {
  const folder = temporaryFolder();
  copyFileSync(path.join(SAMPLES, 'shapes.onnx'), path.join(folder, 'shapes.onnx'));
  const recipe = path.join(folder, 'shapes.quant.yaml');
  const calibration = { data: path.join(SAMPLES, 'images/calibration'), samples: 8 };
  // Every second layer in float: the int8 ones between are islands.
  const layers = [{ select: '**/depthwise/**', quantize: false }];
  writeFileSync(recipe, JSON.stringify({ model: 'shapes.onnx', calibration, preprocess: 'unit', layers }));
  const report: Report = reportOf(await runCli(['run', recipe, '--json']));
  const results = path.join(folder, 'shapes.quant');
  const explain = ['benchmark', results, '--explain', '--runs', '20'];
  const told = documentOf(await runCli([...explain, '--json'])) as {
    readonly benchmarks: readonly Benchmark[];
    readonly findings: readonly SlowFinding[];
  };
  assert.equal(told.benchmarks[0]?.threads, 1);
  assert.deepEqual(
    told.benchmarks[0].entries.map(({ model }) => model),
    [report.model.path, report.quantized?.path],
  );
  assert.ok(existsSync(path.join(results, 'speed.json')));
  const known = new Set(report.layers.map(({ name }) => name));
  for (const { cause, message, fix, layers: concerned } of told.findings) {
    assert.ok(SLOW_CAUSES.includes(cause) && message !== '' && fix !== '');
    assert.ok(concerned.every((name) => known.has(name)));
  }
  const { stdout, code } = await runCli(explain);
  assert.equal(code, 0);
  for (const model of ['shapes.onnx', 'shapes.int8.onnx']) assert.ok(stdout.includes(model), stdout);
  assert.match((await runCli(['benchmark', results, results, '--explain'])).stderr, /takes one report/);
});
