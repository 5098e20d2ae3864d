// Whether price tags keep their word: each fix is priced on some samples, then applied by a run of its own, and what
// the two reports differ by is looked up in the interval of the price. `node bench/prices.mjs [MODEL…]` prints a
// Markdown table and the share of the cases that held; times are left out unless `--times` is given.

import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parse, stringify } from 'yaml';
import { MODELS } from './models.mjs';

const ROOT = resolve(import.meta.dirname, '..');
const DATA = process.env.QUANTSCOPE_DATA ?? resolve(ROOT, '../shared/data');
const CLI = process.env.QUANTSCOPE_CLI ?? join(ROOT, 'dist/cli.js');
const [PRICED_ON, FIXES] = [100, 8];

const SAMPLE = {
  path: join(ROOT, 'samples/shapes.onnx'),
  calibration: join(ROOT, 'samples/images/calibration'),
  validation: join(ROOT, 'samples/images/validation'),
  preprocess: '{resize: {mode: exact, size: 48}, color: rgb, scale: 0.00784313725490196, mean: 1}',
};

function sourceOf(name) {
  if (name === 'sample') return SAMPLE;
  const { file, images, preprocess } = MODELS[name];
  const [calibration, validation] = ['calibration', 'validation'].map((part) => join(DATA, 'images', images, part));
  const labels = join(DATA, 'labels', `${images}_validation.tsv`);
  return { path: join(DATA, 'models', file), calibration, validation, preprocess, labels };
}

function quantscope(...args) {
  const { stdout, stderr, status } = spawnSync(process.execPath, [CLI, ...args, '--json'], {
    encoding: 'utf8',
    maxBuffer: 2 ** 30,
  });
  if (status !== 0) throw new Error(`${args.join(' ')}: ${stdout.slice(0, 500)}${stderr}`);
  return JSON.parse(stdout);
}

/** What a report and the one after it differ by, in the units of a price. */
function measured(before, after) {
  const worst = ({ outputs }) => Math.min(...outputs.map(({ error }) => error.sqnr ?? Infinity));
  const top1 = ({ accuracy }) => accuracy?.top1?.int8;
  const agreement = ({ accuracy }) => accuracy?.agreement;
  return {
    sqnr: worst(after) - worst(before),
    top1: top1(after) - top1(before),
    agreement: agreement(after) - agreement(before),
  };
}

/** Both in turns in one process: the reports of two runs were timed minutes apart, when the machine was another. */
function slower(before, after) {
  const { entries } = quantscope('benchmark', before, after, '--runs', '200');
  return 1 / entries[1].ratio - 1;
}

/** The change of a fix, put into a plain recipe. */
function applied(recipe, change) {
  if (change.kind === 'override') return { ...recipe, layers: [...(recipe.layers ?? []), change.override] };
  if (change.kind === 'observer') {
    const { observer, percentile } = change;
    const level = percentile === undefined ? {} : { percentile };
    return { ...recipe, calibration: { ...recipe.calibration, observer, ...level } };
  }
  if (change.kind === 'equalize') return { ...recipe, normalize: { ...recipe.normalize, equalize: change.enabled } };
  if (change.kind === 'smooth') return { ...recipe, normalize: { ...recipe.normalize, smooth: change.strength } };
  if (change.kind === 'split') {
    const split = [...(recipe.normalize?.split ?? []), change.concat];
    return { ...recipe, normalize: { ...recipe.normalize, split } };
  }
  if (change.kind === 'bias-correction') {
    return { ...recipe, calibration: { ...recipe.calibration, biasCorrection: change.enabled } };
  }
  if (change.kind === 'weights') return { ...recipe, weights: { granularity: change.granularity } };
  throw new Error(`no case for ${change.kind}`);
}

const chosen = process.argv.slice(2).filter((argument) => !argument.startsWith('--'));
const rows = [];
for (const name of chosen.length > 0 ? chosen : ['sample', 'resnet8', 'mobilenet', 'squeezenet']) {
  const source = sourceOf(name);
  const folder = mkdtempSync(join(tmpdir(), 'quantscope-prices-'));
  copyFileSync(source.path, join(folder, 'net.onnx'));
  const file = join(folder, 'net.quant.yaml');
  const run = (recipe) => {
    writeFileSync(file, stringify(recipe));
    quantscope('run', file);
    return JSON.parse(readFileSync(join(folder, 'net.quant/report.json'), 'utf8'));
  };
  const recipe = {
    model: 'net.onnx',
    calibration: { data: source.calibration, samples: 50, observer: 'min-max' },
    preprocess: parse(source.preprocess),
    weights: { granularity: 'per-tensor' },
    validate: { data: source.validation, ...(source.labels === undefined ? {} : { labels: source.labels }) },
  };
  const before = run(recipe);
  const [former, latter] = [join(folder, 'before.onnx'), join(folder, 'net.quant/net.int8.onnx')];
  copyFileSync(latter, former);
  const { fixes } = quantscope('fixes', join(folder, 'net.quant'), '--most', `${FIXES}`, '--samples', `${PRICED_ON}`);
  for (const { fix, price } of fixes) {
    if (price === null || fix.change.kind === 'backend') continue;
    const after = run(applied(recipe, fix.change));
    const latency = process.argv.includes('--times') ? { latency: slower(former, latter) } : {};
    for (const [what, value] of Object.entries({ ...measured(before, after), ...latency })) {
      if (!Number.isFinite(value) || !price[what]) continue;
      const { value: predicted, low, high } = price[what];
      const held = low - 1e-9 <= value && value <= high + 1e-9;
      rows.push({ name, fix: fix.title, what, predicted, low, high, value, held });
    }
    const bytes = after.quantized.bytes - before.quantized.bytes;
    rows.push({
      name,
      fix: fix.title,
      what: 'bytes',
      predicted: price.bytes,
      low: price.bytes,
      high: price.bytes,
      value: bytes,
      held: bytes === price.bytes,
    });
  }
  rmSync(folder, { recursive: true });
}

const number = (value) => Number(value.toFixed(3));
console.log('| model | fix | what | predicted | interval | measured after | held |');
console.log('| --- | --- | --- | --: | --- | --: | --- |');
for (const { name, fix, what, predicted, low, high, value, held } of rows) {
  const interval = `${number(low)} … ${number(high)}`;
  console.log(
    `| ${name} | ${fix} | ${what} | ${number(predicted)} | ${interval} | ${number(value)} | ${held ? 'yes' : 'no'} |`,
  );
}
const share = rows.filter(({ held }) => held).length / rows.length;
console.log(`\n${rows.length} cases, ${(100 * share).toFixed(1)} % held`);
