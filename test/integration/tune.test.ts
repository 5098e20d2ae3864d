/** Prices and tunes on the embedded sample, as the terminal shows them. */

import assert from 'node:assert/strict';
import { copyFileSync, readFileSync, realpathSync, writeFileSync } from 'node:fs';
import * as path from 'node:path';
import { describe, test } from 'node:test';
import { readReport } from '../../src/core/reportFile';
import { priceFixes } from '../../src/core/tune/prices';
import { tune } from '../../src/core/tune/tune';
import { Trials } from '../../src/core/tune/trials';
import { fixesToTry } from '../../src/shared/fixesToTry';
import { isNoise, type Prices } from '../../src/shared/price';
import type { Progress } from '../../src/shared/progress';
import type { Recipe } from '../../src/shared/recipe';
import type { Tuning } from '../../src/shared/tuning';
import { documentOf, missing, runCli, SAMPLES, subfolder, temporaryFolder } from './support';

const images = (part: string): string => path.join(SAMPLES, 'images', part);

const RECIPE: Recipe = {
  model: path.join(SAMPLES, 'shapes.onnx'),
  calibration: { data: images('calibration'), samples: 20, observer: 'min-max' },
  preprocess: 'unit',
  weights: { granularity: 'per-tensor' },
  // Its output has logits, which nothing but the recipe can tell from other numbers.
  task: 'classify',
  validate: { data: images('validation') },
};

describe('prices', () => {
  test('a change that changes nothing is noise, to the byte', async () => {
    const trials = await Trials.open({ recipe: RECIPE, baseDir: '/' }, temporaryFolder(), {}, { samples: 20 });
    const [first, second] = [await trials.run(RECIPE), await trials.run({ ...RECIPE, gates: { 'max-fallbacks': 0 } })];
    const price = await trials.price(first, second);
    const { sqnr, agreement, bytes, macs } = price;
    assert.deepEqual([sqnr.value, sqnr.low, sqnr.high, bytes, macs], [0, 0, 0, 0, 0]);
    assert.ok(agreement !== null && isNoise(agreement));
  });

  test(
    'the fixes of a run, tried: the exclusion of a layer costs multiply-adds and bytes',
    { skip: missing() },
    async () => {
      const folder = temporaryFolder();
      copyFileSync(RECIPE.model, path.join(folder, 'shapes.onnx'));
      // Neither beside the model nor in the current folder: the report tells where the paths of its recipe start.
      const recipes = subfolder(folder, 'recipes');
      const file = path.join(recipes, 'small.quant.yaml');
      const from = (part: string): string => path.relative(realpathSync(recipes), images(part));
      writeFileSync(
        file,
        JSON.stringify({
          ...RECIPE,
          model: '../shapes.onnx',
          calibration: { ...RECIPE.calibration, data: from('calibration') },
          validate: { data: from('validation') },
        }),
      );
      const ran = await runCli(['run', file, '--json']);
      assert.equal(ran.code, 0, ran.stderr);
      const args = ['fixes', path.join(folder, 'shapes.quant'), '--most', '3', '--samples', '30'];
      const prices = documentOf(await runCli([...args, '--json'])) as Prices;
      assert.equal(prices.fixes.length, 3);
      assert.equal(prices.samples, 30);
      for (const { price, fix } of prices.fixes) {
        assert.ok(price !== null, fix.title);
        assert.ok(price.sqnr.low <= price.sqnr.high && price.latency !== null);
      }
      // One scale for all channels is what ails this recipe, so that is the first fix, and no noise.
      const [first] = prices.fixes;
      assert.equal(first?.fix.kind, 'per-channel');
      assert.ok(first.price !== null && first.price.sqnr.low > 0);

      // Just the named ones are tried, and join those that are known; what the time is too short for is counted.
      const report = path.join(folder, 'shapes.quant/report.json');
      const tried: string[] = [];
      const onProgress = ({ stage, message = '' }: Progress): void => {
        if (stage === 'tune') tried.push(message);
      };
      const others = fixesToTry(await readReport(report), undefined, undefined, 6).slice(3);
      const input = { report, baseDir: recipes, samples: 30 };
      const bounded = await priceFixes({ ...input, candidates: others, seconds: 0 }, { onProgress });
      assert.deepEqual([bounded.fixes.length, bounded.left], [1, 2]);
      const rest = await priceFixes({ ...input, candidates: others.slice(1) }, { onProgress });
      assert.deepEqual([rest.fixes.length, rest.left], [2, undefined]);
      assert.deepEqual(
        tried,
        others.map(({ fix }) => fix.title),
      );
      const kept = JSON.parse(readFileSync(path.join(folder, 'shapes.quant/prices.json'), 'utf8')) as Prices;
      assert.deepEqual(
        new Set(kept.fixes.map(({ fix }) => fix.title)),
        new Set([...tried, ...prices.fixes.map(({ fix }) => fix.title)]),
      );
    },
  );

  test('each is kept as soon as it is known', { skip: missing() }, async () => {
    const folder = temporaryFolder();
    copyFileSync(RECIPE.model, path.join(folder, 'shapes.onnx'));
    const file = path.join(folder, 'shapes.quant.yaml');
    writeFileSync(file, JSON.stringify({ ...RECIPE, model: 'shapes.onnx' }));
    const ran = await runCli(['run', file, '--json']);
    assert.equal(ran.code, 0, ran.stderr);
    const kept = path.join(folder, 'shapes.quant/prices.json');
    const counts: number[] = [];
    const stop = new AbortController();
    const onProgress = ({ stage, done }: Progress): void => {
      if (stage !== 'tune') return;
      counts.push(done === 0 ? 0 : (JSON.parse(readFileSync(kept, 'utf8')) as Prices).fixes.length);
      if (done === 2) stop.abort();
    };
    const input = { report: path.join(folder, 'shapes.quant/report.json'), baseDir: folder, samples: 20 };
    await assert.rejects(priceFixes(input, { onProgress, signal: stop.signal }), { code: 'cancelled' });
    assert.deepEqual(counts, [0, 1, 2]);
    assert.equal((JSON.parse(readFileSync(kept, 'utf8')) as Prices).fixes.length, 2);
  });

  test('with --prices a run tells them as well', { skip: missing() }, async () => {
    const folder = temporaryFolder();
    copyFileSync(RECIPE.model, path.join(folder, 'shapes.onnx'));
    const model = path.join(folder, 'shapes.onnx');
    const args = ['quantize', model, '--data', images('calibration'), '--samples', '20', '--preprocess', 'unit'];
    const { code, stdout, stderr } = await runCli([...args, '--prices']);
    assert.equal(code, 0, stderr);
    const told = stdout.slice(stdout.indexOf('What fixes bring and cost'));
    assert.match(told, /^verdict +fix +output SQNR/m);
    const judged = [...told.matchAll(/^(▲ better|= noise|▼ worse)/gm)].map(([, verdict]) => verdict);
    assert.equal(judged.length, 8);
    const order = ['▲ better', '= noise', '▼ worse'];
    assert.deepEqual(
      judged,
      judged.toSorted((a, b) => order.indexOf(a!) - order.indexOf(b!)),
    );
  });
});

describe('tune', () => {
  const goal = { minSqnr: 30 };

  test('is deterministic with a seed, and its best holds the goal or is nearest to it', async () => {
    const outDir = temporaryFolder();
    const run = async (): Promise<Tuning> =>
      tune({ recipe: RECIPE, baseDir: '/', outDir, goal, samples: 20, trials: 12, seed: 3 });
    const [first, second] = [await run(), await run()];
    const timeless = ({ points, best }: Tuning): unknown =>
      [...points, best].map((point) => ({ ...point, latencyRatio: null }));
    assert.deepEqual(timeless(first), timeless(second));
    const nearest = Math.max(...first.points.map(({ sqnr }) => sqnr ?? Infinity));
    assert.ok(first.best.reached || first.best.sqnr === nearest);
    assert.ok((first.best.sqnr ?? Infinity) > (first.start.sqnr ?? Infinity));
  });

  test('a cancelled one keeps the best so far', async () => {
    const controller = new AbortController();
    const input = { recipe: RECIPE, baseDir: '/', outDir: temporaryFolder(), goal: { minSqnr: 200 }, samples: 10 };
    const tuning = await tune(input, {
      signal: controller.signal,
      onPoint: ({ points }) => {
        if (points.length === 3) controller.abort();
      },
    });
    assert.deepEqual([tuning.complete, tuning.points.length], [false, 3]);
    assert.ok(tuning.points.some(({ sqnr }) => sqnr === tuning.best.sqnr));
  });

  test('the terminal writes the recipe with its reasons, and says each trial', { skip: missing() }, async () => {
    const folder = temporaryFolder();
    copyFileSync(RECIPE.model, path.join(folder, 'shapes.onnx'));
    const file = path.join(folder, 'shapes.quant.yaml');
    writeFileSync(
      file,
      `# kept\nmodel: shapes.onnx\npreprocess: unit\nweights: { granularity: per-tensor }\ncalibration: { data: ${images('calibration')}, samples: 20 }\n`,
    );
    const before = readFileSync(file, 'utf8');
    const args = ['tune', file, '--min-sqnr', '20', '--samples', '20', '--trials', '10'];
    const ran = await runCli(args);
    assert.match(ran.stderr, /^1\/10 {2}.* as it is$/m);
    assert.equal(readFileSync(file, 'utf8'), before);
    const written = await runCli([...args, '--write', '--json']);
    const { best } = documentOf(written) as Tuning;
    assert.equal(written.code, best.reached ? 0 : 1);
    const after = readFileSync(file, 'utf8');
    assert.match(after, /^# kept\nmodel: shapes\.onnx/);
    assert.equal(best.changes.length > 0, after !== before);
    if (best.changes.length > 0) assert.match(after, /# Tuned: .* dB\.|because: /);
    assert.match((await runCli(['tune', file])).stderr, /needs a goal/);
  });

  test('every part of the goal counts; one that nothing holds is exit status 1', { skip: missing() }, async () => {
    const folder = temporaryFolder();
    copyFileSync(RECIPE.model, path.join(folder, 'shapes.onnx'));
    const file = path.join(folder, 'shapes.quant.yaml');
    writeFileSync(file, JSON.stringify({ ...RECIPE, model: 'shapes.onnx' }));
    const run = async (drop: number, sqnr: number, ratio: number): Promise<{ code: number | null; tuning: Tuning }> => {
      const goal = ['--max-drop', `${drop}`, '--min-sqnr', `${sqnr}`, '--max-latency-ratio', `${ratio}`];
      const ran = await runCli(['tune', file, ...goal, '--samples', '10', '--trials', '3', '--json']);
      return { code: ran.code, tuning: documentOf(ran) as Tuning };
    };
    const easy = await run(100, -50, 1000);
    assert.deepEqual(easy.tuning.goal, { maxDrop: 100, minSqnr: -50, maxLatencyRatio: 1000 });
    assert.deepEqual([easy.code, easy.tuning.points.length], [0, 1]);
    // Faster than anything is: the search ends without, and says so.
    const { code, tuning } = await run(100, -50, 1e-6);
    assert.deepEqual([code, tuning.best.reached], [1, false]);
  });
});
