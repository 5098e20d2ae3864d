// How much longer a tune takes than one plain run, both from nothing: `node bench/tune.mjs [MODEL…] [--min-sqnr DB]
// [--max-drop P] [--samples N]`. Prints a Markdown table; whole processes, start-up included.

import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { parse, stringify } from 'yaml';
import { MODELS } from './models.mjs';

const ROOT = resolve(import.meta.dirname, '..');
const DATA = process.env.QUANTSCOPE_DATA ?? resolve(ROOT, '../shared/data');
const CLI = process.env.QUANTSCOPE_CLI ?? join(ROOT, 'dist/cli.js');

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    'min-sqnr': { type: 'string' },
    'max-drop': { type: 'string' },
    samples: { type: 'string', default: '100' },
    granularity: { type: 'string', default: 'per-channel' },
  },
});

/** A fresh folder with the model and a recipe of it, in which `use` runs commands. */
function inFolder(name, use) {
  const { file, images, preprocess } = MODELS[name];
  const folder = mkdtempSync(join(tmpdir(), 'quantscope-tune-'));
  try {
    copyFileSync(join(DATA, 'models', file), join(folder, 'net.onnx'));
    const recipe = {
      model: 'net.onnx',
      calibration: { data: join(DATA, 'images', images, 'calibration'), samples: Number(values.samples) },
      preprocess: parse(preprocess),
      weights: { granularity: values.granularity },
      validate: {
        data: join(DATA, 'images', images, 'validation'),
        labels: join(DATA, 'labels', `${images}_validation.tsv`),
        samples: Number(values.samples),
      },
    };
    writeFileSync(join(folder, 'net.quant.yaml'), stringify(recipe));
    return use(join(folder, 'net.quant.yaml'));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** The document that a command prints, and its seconds. A tune that misses its goal exits with 1. */
function timed(...args) {
  const start = Date.now();
  const options = { encoding: 'utf8', maxBuffer: 2 ** 30 };
  const { stdout, stderr, status } = spawnSync(process.execPath, [CLI, ...args, '--json'], options);
  if (status !== 0 && status !== 1) throw new Error(`${args.join(' ')}: ${stdout.slice(0, 500)}${stderr}`);
  return { seconds: (Date.now() - start) / 1000, result: JSON.parse(stdout) };
}

const goal = ['min-sqnr', 'max-drop'].flatMap((key) => (values[key] === undefined ? [] : [`--${key}`, values[key]]));
if (goal.length === 0) goal.push('--min-sqnr', '25');

const number = (value) => Number(value.toPrecision(3));
const percent = (value) => (value === null ? '–' : `${number(value)} %`);
const decibels = (value) => (value === null ? 'exact' : `${number(value)} dB`);
console.log(`Goal ${goal.join(' ')}, ${values.samples} samples, weights ${values.granularity}\n`);
console.log('| model | plain run | tune | × | recipes | fp32 | SQNR | top-1 | in int8 | holds | changes |');
console.log('| --- | --: | --: | --: | --: | --: | --- | --- | --- | --- | --- |');
for (const name of positionals.length > 0 ? positionals : ['squeezenet']) {
  const plain = inFolder(name, (recipe) => timed('run', recipe));
  const { seconds, result } = inFolder(name, (recipe) => {
    return timed('tune', recipe, ...goal, '--samples', values.samples);
  });
  const { start, best, points, top1Fp32 } = result;
  const changes = best.changes.map(({ change }) => change.override?.select ?? change.observer ?? change.kind);
  const cells = [
    name,
    `${number(plain.seconds)} s`,
    `${number(seconds)} s`,
    number(seconds / plain.seconds),
    points.length,
    percent(top1Fp32),
    `${decibels(start.sqnr)} → ${decibels(best.sqnr)}`,
    `${percent(start.top1)} → ${percent(best.top1)}`,
    `${percent(start.macs)} → ${percent(best.macs)}`,
    best.reached ? 'yes' : 'no',
    changes.join(', '),
  ];
  console.log(`| ${cells.join(' | ')} |`);
}
