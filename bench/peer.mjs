#!/usr/bin/env node
// Measures Quantscope beside onnxruntime's own quantizer, on the same images in one run; prints Markdown.
// README.md says what is needed and what the columns mean.
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { maskedEnvironment } from '../test/isa/avx2.mjs';
import { CONFIGS, MODELS, OBSERVERS } from './models.mjs';
import { makeSides } from './sides.mjs';

const root = path.join(path.dirname(fileURLToPath(import.meta.url)), '..');
const REPEATS = 3;

const percent = (share) => (share === undefined || share === null ? '' : (100 * share).toFixed(1));
const fixed = (value, digits) => (value === undefined || value === null ? '' : value.toFixed(digits));
const log = (text) => process.stderr.write(`${text}\n`);

function median(values) {
  const sorted = values.filter((value) => value !== undefined).sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1
    ? sorted[middle]
    : sorted.length === 0
      ? undefined
      : (sorted[middle - 1] + sorted[middle]) / 2;
}

function table(title, header, rows) {
  const line = (cells) => `| ${cells.map((cell) => String(cell ?? '').replaceAll('|', '\\|')).join(' | ')} |`;
  return [`### ${title}`, '', line(header), line(header.map(() => '---')), ...rows.map(line), ''].join('\n');
}

const failed = (label, run, width) => [label, `failed: ${run.error}`, ...new Array(width - 2).fill('')];

// ---------------------------------------------------------------- sections

/** What our report claims about the same images: a check of our evaluator by the peer's. */
function ownFigures({ top1, top5, agreement }, width) {
  const figures = [top1?.int8, top5?.int8, agreement].map((value) => fixed(value, 1));
  return [['ours, by its own report', ...figures, ...new Array(width - 4).fill('')]];
}

/** The second judgement beside the fused kernels on the whole images, and its column. */
const SECOND = {
  unfused: { column: 'unfused agrees %', judge: (sides, name, model) => sides.judge(name, model, 'disable') },
  crops: { column: 'ten crops agree %', judge: (sides, name, model) => sides.judgeCrops(name, model) },
};

async function accuracy(sides, { models, configs, peerOnly, crops }) {
  const second = SECOND[crops ? 'crops' : 'unfused'];
  const header = ['configuration', 'top-1 %', 'top-5 %', 'agrees with fp32 %', second.column, 'scores dB', 'bytes'];
  const row = async (name, label, quantized) => {
    if (!quantized.ok) return failed(label, quantized, header.length);
    const whole = sides.judge(name, quantized.out);
    if (!whole.ok) return failed(label, whole, header.length);
    const other = await second.judge(sides, name, quantized.out);
    const { top1, top5, top1_agreement: agreement } = whole.output;
    const shares = [top1, top5, agreement, other.output.top1_agreement].map(percent);
    const scores = fixed(sides.judgeScores(name, quantized.out).output.scores_sqnr, 1);
    return [label, ...shares, scores, fs.statSync(quantized.out).size];
  };
  const tables = [];
  for (const name of models) {
    const jobs = configs.map((config) => [
      `(${config}) ${CONFIGS[config].title}`,
      () => sides.peerQuantize(name, config),
    ]);
    // Ours in the middle, so that neither side has the machine to itself first.
    if (!peerOnly) jobs.splice(jobs.length >> 1, 0, ['**ours**', () => sides.ourQuantize(name)]);
    const rows = [await row(name, 'fp32', { ok: true, out: sides.modelFile(name) })];
    let own = [];
    for (const [label, quantize] of jobs) {
      log(`accuracy ${name} ${label}`);
      const quantized = quantize();
      if (quantized.output.accuracy) own = ownFigures(quantized.output.accuracy, header.length);
      rows.push(await row(name, label, quantized));
    }
    tables.push(table(name, header, [...rows, ...own]));
  }
  return tables;
}

function latency(sides, { models, runs, peerOnly }) {
  const header = ['model', 'fp32 ms', 'peer (c) × fp32', 'ours × fp32', 'ours × peer (c)'];
  const rows = models.map((name) => {
    log(`latency ${name}`);
    const peer = sides.peerQuantize(name, 'c');
    const ours = peerOnly ? undefined : sides.ourQuantize(name, { validate: false });
    const bad = [peer, ours].find((side) => side && !side.ok);
    if (bad) return failed(name, bad, header.length);
    const fp32 = sides.modelFile(name);
    const rest = ours ? [ours.out] : [];
    const rounds = Array.from({ length: REPEATS }, () => ({
      fp32: sides.latency(name, [fp32, peer.out, ...rest], runs),
      peer: sides.latency(name, [peer.out, fp32, ...rest], runs),
    }));
    const broken = rounds.flatMap(Object.values).find((run) => !run.ok);
    if (broken) return failed(name, broken, header.length);
    const figure = (base, at, key) => fixed(median(rounds.map((round) => round[base].output.models[at]?.[key])), 2);
    return [
      name,
      figure('fp32', 0, 'median_ms'),
      figure('fp32', 1, 'speedup'),
      figure('fp32', 2, 'speedup'),
      figure('peer', 2, 'speedup'),
    ];
  });
  return [table('One thread; above 1 is faster', header, rows)];
}

const COSTS = [
  ['wall s', 1, (run) => run.usage.wall_s],
  ['cpu s', 1, (run) => run.usage.cpu_s],
  ['peak MB', 0, (run) => run.usage.peak_rss_mb],
];

/** The stages that do the same on both sides: read the images, calibrate, write the quantized model. */
const stageSeconds = {
  peer: (run) => run.output.wall_s?.calibrate_quantize,
  ours: (run) => (run.output.seconds?.calibrate ?? NaN) + (run.output.seconds?.convert ?? NaN),
};

function calibration(sides, { counts, peerOnly }) {
  const header = ['observer', 'images', 'side', ...COSTS.map(([name]) => name), 'calibrate + convert s'];
  const rows = Object.entries(OBSERVERS).flatMap(([observer, method]) =>
    counts.flatMap((samples) => {
      const runs = { peer: [], ours: [] };
      for (let repeat = 0; repeat < (samples > 100 ? 1 : REPEATS); repeat++) {
        log(`calibration ${observer} ${samples} (${repeat + 1})`);
        runs.peer.push(sides.peerQuantize('squeezenet', 'b', { samples, method }));
        if (!peerOnly) {
          runs.ours.push(
            sides.ourQuantize('squeezenet', { samples, validate: false, flags: ['--observer', observer] }),
          );
        }
      }
      return Object.entries(runs).flatMap(([side, made]) => {
        if (made.length === 0) return [];
        const label = [observer, samples, side];
        const bad = made.find((run) => !run.ok);
        if (bad) return [[...label, ...failed('', bad, header.length - 2).slice(1)]];
        const costs = COSTS.map(([, digits, pick]) => fixed(median(made.map(pick)), digits));
        return [[...label, ...costs, fixed(median(made.map(stageSeconds[side])), 1)]];
      });
    }),
  );
  return [table('squeezenet: one quantization, whole process', header, rows)];
}

function layers(sides, { peerOnly }) {
  const samples = 32;
  const figures = [
    ...['analysis alone s', 'float activations compared', 'accounted for otherwise', 'weights compared'],
    'layers with local / accumulated error',
  ];
  const header = ['side', ...COSTS.map(([name]) => name), ...figures];
  const costs = (...runs) => {
    const [wall, cpu, peak] = COSTS.map(([, , pick]) => runs.map(pick));
    const sum = (values) => values.reduce((total, value) => total + value, 0);
    return [fixed(sum(wall), 1), fixed(sum(cpu), 1), fixed(Math.max(...peak), 0)];
  };
  const peer = () => {
    log('layers peer');
    // The peer's analysis cannot read an IR 3 model, hence --raise-ir.
    const quantized = sides.peerQuantize('squeezenet', 'b', { samples, extra: ['--raise-ir'] });
    if (!quantized.ok) return failed('peer', quantized, header.length);
    const debug = sides.peerDebug('squeezenet', quantized.prepared, quantized.out, samples);
    if (!debug.ok) return failed('peer', debug, header.length);
    const { activations_matched: matched, fp32_float_activations: all, weights_matched: weights } = debug.output;
    return [
      ...['peer: quantize, then debug', ...costs(quantized, debug), fixed(debug.output.wall_s.total, 1)],
      ...[`${matched} of ${all}`, '', weights, ''],
    ];
  };
  const ours = () => {
    log('layers ours');
    const run = sides.ourQuantize('squeezenet', { samples, validate: false });
    if (!run.ok) return failed('ours', run, header.length);
    const { matched, unmatched, layers: rows } = run.output;
    const weights = rows
      .flatMap((row) => row.tensors)
      .filter(({ role, quantization }) => role === 'weight' && quantization);
    const errors = ['local', 'accumulated'].map((kind) => rows.filter((row) => row[kind] !== null).length);
    return [
      ...['ours: quantize, which analyzes too', ...costs(run), fixed(run.output.seconds.analyze, 1)],
      ...[
        `${matched} of ${matched + unmatched.length}`,
        unmatched.length,
        weights.length,
        `${errors.join(' / ')} of ${rows.length}`,
      ],
    ];
  };
  return [table(`squeezenet, ${samples} images`, header, peerOnly ? [peer()] : [peer(), ours()])];
}

const SECTIONS = {
  accuracy: { title: 'Accuracy and agreement with fp32 (100 calibration images)', run: accuracy },
  latency: { title: 'Latency', run: latency },
  calibration: { title: 'Calibration: time and memory', run: calibration },
  layers: { title: 'Layer analysis', run: layers },
};

// ---------------------------------------------------------------- command line

const OPTIONS = {
  models: { type: 'string', default: Object.keys(MODELS).join(',') },
  configs: { type: 'string', default: Object.keys(CONFIGS).join(',') },
  counts: { type: 'string', default: '32,100,250' },
  runs: { type: 'string', default: '100' },
  cpu: { type: 'string', default: 'native' },
  peer: { type: 'string', default: path.join(root, '../shared/tools/ort_peer.py') },
  data: { type: 'string', default: path.join(root, '../shared/data') },
  cli: { type: 'string', default: `${process.execPath} ${path.join(root, 'dist/cli.js')}` },
  'peer-only': { type: 'boolean', default: false },
  swap: { type: 'boolean', default: false },
  crops: { type: 'boolean', default: false },
  out: { type: 'string' },
  scratch: { type: 'string' },
};

function list(text, known, what) {
  const items = text.split(',');
  const wrong = items.find((item) => !known.includes(item));
  if (wrong !== undefined) throw new Error(`${what} ${wrong} is not one of ${known.join(', ')}`);
  return items;
}

/** Which machine and which versions: figures of two runtimes are not the same figure. */
function preamble(python) {
  const wheel = spawnSync(python, ['-c', 'import onnxruntime; print(onnxruntime.__version__)'], { encoding: 'utf8' });
  const binding = JSON.parse(fs.readFileSync(path.join(root, 'node_modules/onnxruntime-node/package.json'), 'utf8'));
  const machine = `${os.cpus()[0]?.model ?? 'unknown CPU'}, ${os.cpus().length} cores, Node ${process.versions.node}`;
  const day = new Date().toISOString().slice(0, 10);
  return `${day}; ${machine}; peer onnxruntime ${wheel.stdout.trim()}, ours onnxruntime-node ${binding.version}.\n`;
}

async function main() {
  const { values, positionals } = parseArgs({ options: OPTIONS, allowPositionals: true });
  const python = process.env.PEER_PYTHON;
  if (!python)
    throw new Error('set PEER_PYTHON to the python of an environment with onnxruntime, onnx, numpy, pillow, sympy');
  for (const needed of [python, values.peer, values.data]) {
    if (!fs.existsSync(needed)) throw new Error(`${needed} does not exist`);
  }
  const sections =
    positionals.length === 0 ? Object.keys(SECTIONS) : list(positionals.join(','), Object.keys(SECTIONS), 'section');
  const cpus = list(values.cpu === 'both' ? 'native,avx2' : values.cpu, ['native', 'avx2'], '--cpu');
  const settings = {
    models: list(values.models, Object.keys(MODELS), 'model'),
    configs: list(values.configs, Object.keys(CONFIGS), 'configuration'),
    counts: values.counts.split(',').map(Number),
    runs: Number(values.runs),
    peerOnly: values['peer-only'],
    crops: values.crops,
  };
  const uncropped = settings.models.find((name) => settings.crops && MODELS[name].crops === undefined);
  if (uncropped !== undefined) throw new Error(`--crops: the images of ${uncropped} are too small to be cropped`);
  const scratch = values.scratch ?? fs.mkdtempSync(path.join(os.tmpdir(), 'quantscope-bench-'));
  fs.mkdirSync(scratch, { recursive: true });
  const parts = [preamble(python)];
  process.stdout.write(`${parts[0]}\n`);
  try {
    for (const cpu of cpus) {
      const environment =
        cpu === 'avx2' ? await maskedEnvironment({ python: path.dirname(path.dirname(path.resolve(python))) }) : {};
      const sides = makeSides({
        python,
        peer: values.peer,
        cli: values.cli.split(' '),
        data: values.data,
        scratch,
        environment,
        swap: values.swap,
      });
      for (const section of sections) {
        const { title, run } = SECTIONS[section];
        const heading = `## ${title}, ${cpu === 'avx2' ? 'CPU masked to AVX2' : 'CPU as it is'}\n`;
        const blocks = await run(sides, settings);
        parts.push(heading, ...blocks);
        process.stdout.write(`${[heading, ...blocks].join('\n')}\n`);
      }
    }
  } finally {
    if (values.scratch === undefined) fs.rmSync(scratch, { recursive: true, force: true });
  }
  if (values.out) fs.writeFileSync(values.out, `${parts.join('\n')}\n`);
}

main().catch((error) => {
  log(`peer: ${error.message}`);
  process.exitCode = error.status ?? 1;
});
