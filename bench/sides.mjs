// The two sides as child processes: every call returns a plain object, `{ ok: false, error }` where the side failed.
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { tenCrops } from './crops.mjs';
import { CONFIGS, MODELS } from './models.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));

/** The last line of the text that is a JSON object, or the whole text as one. */
function parseJson(text) {
  for (const candidate of [text, ...text.trimEnd().split('\n').reverse()]) {
    try {
      const value = JSON.parse(candidate);
      if (value !== null && typeof value === 'object') return value;
    } catch {
      // not this one
    }
  }
  return undefined;
}

const lastLine = (text) => text.trim().split('\n').at(-1) ?? '';

/**
 * Both sides with their settings bound.
 * @param settings python, peer (path of ort_peer.py), cli (command as a list), data (folder), scratch (folder),
 *   environment (merged over process.env), swap (calibrate on the images that else judge, and the reverse)
 */
export function makeSides({ python, peer, cli, data, scratch, environment, swap }) {
  const env = { ...process.env, PYTHONWARNINGS: 'ignore', ...environment };
  let runs = 0;

  function measured(command) {
    const usageFile = path.join(scratch, `usage-${process.pid}-${runs++}.json`);
    const run = spawnSync(python, [path.join(here, 'measure.py'), usageFile, ...command], {
      env,
      encoding: 'utf8',
      maxBuffer: 2 ** 28,
    });
    const usage = fs.existsSync(usageFile) ? JSON.parse(fs.readFileSync(usageFile, 'utf8')) : {};
    const output = parseJson(run.stdout ?? '') ?? {};
    if (run.status === 0) return { ok: true, output, usage };
    const error = output.error?.message ?? output.error ?? (lastLine(run.stderr ?? '') || `status ${run.status}`);
    return { ok: false, error: String(error).slice(0, 200), output, usage };
  }

  const peerRun = (...args) => measured([python, peer, ...args]);
  const modelFile = (name) => path.join(data, 'models', MODELS[name].file);
  const folders = swap
    ? { calibration: 'validation', validation: 'calibration' }
    : { calibration: 'calibration', validation: 'validation' };
  const imagesDir = (name, part) => path.join(data, 'images', MODELS[name].images, folders[part]);
  const labelsFile = (name) => path.join(data, 'labels', `${MODELS[name].images}_${folders.validation}.tsv`);
  const peerImages = (name, part, count) => [
    ...['--images', imagesDir(name, part), '--preprocess', MODELS[name].peerPreprocess, '--parity', 'all'],
    ...(count === undefined ? [] : ['--count', String(count)]),
  ];

  const judged = (name, model, graphOpt, images) =>
    peerRun('accuracy', model, ...images, '--reference', modelFile(name), '--graph-opt', graphOpt);

  return {
    modelFile,

    /** The peer's quantizer. `out` is the quantized model, `prepared` the float model that it was made from. */
    peerQuantize(name, config, { samples = 100, method, extra = [] } = {}) {
      const stem = path.join(scratch, [name, config, method, samples].filter(Boolean).join('.'));
      const [out, prepared] = [`${stem}.onnx`, `${stem}.prepared.onnx`];
      const result = peerRun(
        ...['quantize', modelFile(name), out, ...peerImages(name, 'calibration', samples)],
        ...CONFIGS[config].flags,
        ...(method === undefined ? [] : ['--method', method]),
        ...(MODELS[name].peerExtra ?? []),
        ...['--keep-preprocessed', prepared, '--max-rss-gb', '12'],
        ...extra,
      );
      return { ...result, out, prepared };
    },

    /** Our quantizer, with its defaults unless `flags` say otherwise. */
    ourQuantize(name, { samples = 100, flags = [], validate = true } = {}) {
      const folder = fs.mkdtempSync(path.join(scratch, `${name}.ours-`));
      const result = measured([
        ...[...cli, 'quantize', modelFile(name), '--data', imagesDir(name, 'calibration')],
        ...['--preprocess', MODELS[name].preprocess, '--samples', String(samples)],
        ...(validate ? ['--validate', imagesDir(name, 'validation'), '--labels', labelsFile(name)] : []),
        ...['--out', folder, '--json', ...flags],
      ]);
      const named = result.output.quantized?.path;
      const made = fs.readdirSync(folder, { recursive: true }).find((file) => file.endsWith('.onnx'));
      const out = named !== undefined && fs.existsSync(named) ? named : made && path.join(folder, made);
      if (result.ok && out === undefined) return { ...result, ok: false, error: 'no model was written' };
      if (result.output.calibration?.cached) return { ...result, ok: false, error: 'calibration came from a cache' };
      return { ...result, out };
    },

    /** The one judge of both sides: top-1, top-5 and agreement with the fp32 model, on the validation images. */
    judge(name, model, graphOpt = 'all') {
      return judged(name, model, graphOpt, [...peerImages(name, 'validation'), '--labels', labelsFile(name)]);
    },

    /** How far the scores of a model are from fp32's, on the same images. */
    judgeScores(name, model) {
      const script = path.join(here, 'scores.py');
      const how = [imagesDir(name, 'validation'), MODELS[name].peerPreprocess];
      return measured([python, script, peer, model, modelFile(name), ...how]);
    },

    /** The same as {@link judge} on ten crops of each image. */
    async judgeCrops(name, model) {
      const { peerPreprocess, ...how } = MODELS[name].crops;
      const { folder, labels } = await tenCrops(imagesDir(name, 'validation'), labelsFile(name), scratch, how);
      const images = ['--images', folder, '--preprocess', peerPreprocess, '--parity', 'all'];
      return judged(name, model, 'all', [...images, '--labels', labels]);
    },

    /** Runs the models alternately, one thread; speed-ups are against the first, medians of paired ratios. */
    latency(name, models, runs) {
      const args = [
        'latency',
        ...models,
        ...peerImages(name, 'validation', 1),
        '--threads',
        '1',
        '--runs',
        String(runs),
      ];
      return peerRun(...args);
    },

    /** The peer's layer analysis (qdq_loss_debug). */
    peerDebug(name, prepared, quantized, samples) {
      return peerRun('debug', prepared, quantized, ...peerImages(name, 'calibration', samples), '--max-rss-gb', '12');
    },
  };
}
