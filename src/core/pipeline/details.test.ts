import assert from 'node:assert/strict';
import { appendFile, cp, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { OBSERVERS, type Recipe } from '../../shared/recipe';
import type { Report } from '../../shared/report';
import { rangeOf } from '../calibrate/observers';
import { TensorStats } from '../calibrate/histogram';
import { openDataset } from '../data/dataset';
import { readRecipe } from '../recipeFile';
import { quantizedIsCurrent } from '../reportFile';
import { withOutputs } from '../runtime/inspect';
import { openSession } from '../runtime/session';
import { toFloat32 } from '../tensor';
import { DetailsReader } from './details';
import { prepare } from './prepare';
import { quantize } from './quantize';

const SAMPLES = path.join(__dirname, '../../../samples');
const SEEN = 6;
const WORST = '/stage2/0/depthwise/Conv';

describe('details of a layer', () => {
  let folder: string;
  let recipe: Recipe;
  let written: Report;
  const file = (): string => path.join(folder, 'out', 'report.json');
  const read = (layer: string) => new DetailsReader().read({ report: file(), layer });

  before(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'quantscope-details-'));
    await cp(path.join(SAMPLES, 'shapes.onnx'), path.join(folder, 'shapes.onnx'));
    await cp(path.join(SAMPLES, 'images', 'calibration'), path.join(folder, 'images'), { recursive: true });
    const { validate, ...rest } = (await readRecipe(path.join(SAMPLES, 'shapes.quant.yaml'))).recipe;
    assert.ok(validate);
    recipe = { ...rest, calibration: { data: 'images', samples: SEEN, observer: 'percentile', percentile: 99.9 } };
    written = await quantize({ recipe, baseDir: folder, outDir: 'out' });
  });
  after(() => rm(folder, { recursive: true, force: true }));

  test('histograms and ranges are those of the values that the model computes', async () => {
    const { activations, notes } = await read(WORST);
    assert.deepEqual(notes, []);
    assert.deepEqual(
      activations.map(({ role }) => role),
      ['input', 'output'],
    );
    const prepared = await prepare(recipe, folder, {});
    const names = activations.map(({ tensor }) => tensor);
    const session = await openSession(withOutputs(prepared.model, names), { level: 'basic' });
    const dataset = await openDataset('images', prepared.inputs, {
      baseDir: folder,
      preprocess: recipe.preprocess as object,
      samples: SEEN,
      trusted: false,
    });
    const values = new Map(names.map((name) => [name, [] as Float32Array[]]));
    for await (const { feeds } of dataset.samples()) {
      const results = await session.run(feeds, names);
      for (const name of names) values.get(name)!.push(toFloat32(results[name]!));
    }
    await session.close();
    for (const { tensor, histogram, observers, inUse, quantization } of activations) {
      const all = values.get(tensor)!;
      const flat = all.flatMap((part) => [...part]);
      assert.equal(histogram.total, flat.length);
      assert.equal(
        histogram.counts.reduce((a, b) => a + b, 0),
        flat.length,
      );
      assert.ok(Math.abs(histogram.min - flat.reduce((a, b) => Math.min(a, b))) < 1e-5);
      assert.ok(Math.abs(histogram.max - flat.reduce((a, b) => Math.max(a, b))) < 1e-5);
      const stats = new TensorStats();
      for (const [sample, part] of all.entries()) stats.observe(part, sample);
      for (const observer of OBSERVERS) {
        const spec = { bits: 8, qmin: 0, qmax: 255, symmetric: false };
        const { min, max } = rangeOf(stats, { observer, percentile: 99.9 }, spec);
        assert.ok(Math.abs(observers[observer].min - min) < 0.02 * (max - min), `${observer} ${tensor}`);
        assert.ok(Math.abs(observers[observer].max - max) < 0.02 * (max - min), `${observer} ${tensor}`);
      }
      assert.equal(inUse?.observer, 'percentile');
      assert.ok(quantization !== null && quantization.scale.length === 1);
      // Nothing else reads or writes what shares its scale, so the range is the observer's own.
      assert.ok(inUse.max <= observers.percentile.max && inUse.min >= observers.percentile.min - 1e-6);
    }
  });

  test('weights are those of the folded model, channel by channel', async () => {
    const { weights } = await read(WORST);
    const prepared = await prepare(recipe, folder, {});
    const node = prepared.graph.nodes.find(({ name }) => name === WORST)!;
    const constant = prepared.graph.constant(node.input[1]!)!;
    const [details] = weights;
    assert.deepEqual([details?.shape, details?.axis], [constant.dims, 0]);
    const perChannel = constant.data.length / constant.dims[0]!;
    const values = toFloat32(constant);
    for (const [channel, max] of details!.max.entries()) {
      const own = values.subarray(channel * perChannel, (channel + 1) * perChannel);
      assert.equal(max, Math.max(...own));
      assert.equal(details!.min[channel], Math.min(...own));
    }
    assert.equal(details!.quantization?.scale.length, constant.dims[0]);
    assert.deepEqual(details!.dead, []);
  });

  test('the report knows the file that it describes, and how fast it is', async () => {
    assert.equal(await quantizedIsCurrent(written), true);
    const { latency } = written;
    assert.ok(latency && latency.runs >= 5 && latency.fp32 > 0 && latency.int8 > 0 && latency.ratio > 0);
    assert.ok(written.seconds.benchmark! > 0);
  });

  test('a layer that is not there is refused', async () => {
    await assert.rejects(read('nobody'), { code: 'usage' });
    await assert.rejects(new DetailsReader().read({ report: path.join(folder, 'no.json'), layer: 'a' }), {
      code: 'file-not-found',
    });
  });

  test('an earlier report has its weights, and no histograms once others were measured', async () => {
    const [earlier] = await readdir(path.join(folder, 'out', 'runs'));
    const report = path.join(folder, 'out', 'runs', earlier!);
    assert.equal((await new DetailsReader().read({ report, layer: WORST })).activations.length, 2);
    const calibration = { data: 'images', samples: 1 };
    written = await quantize({ recipe: { ...recipe, calibration }, baseDir: folder, outDir: 'out' });
    const { activations, weights, notes } = await new DetailsReader().read({ report, layer: WORST });
    assert.deepEqual([activations.length, weights.length], [0, 1]);
    assert.match(notes.join(' '), /replaced by those of a later one.* that of another run/);
  });

  test('what is gone or of another run is told in notes', async () => {
    const reader = new DetailsReader();
    const notes = async (): Promise<string> => {
      const { notes: lines, ...found } = await reader.read({ report: file(), layer: WORST });
      return `${found.activations.length} ${found.weights.length} ${lines.join(' ')}`;
    };
    assert.equal(await notes(), '2 1 ');
    await appendFile(written.quantized!.path, 'x');
    assert.match(await notes(), /^2 1 The int8 model beside this report is that of another run\.$/);
    await appendFile(path.join(folder, 'shapes.onnx'), 'x');
    assert.match(await notes(), /^2 0 .*(changed since this run|cannot be read)/);
    await rm(path.join(folder, 'shapes.onnx'));
    await rm(path.join(folder, 'out', 'calibration.bin'));
    assert.match(await notes(), /^0 0 The measurements of the calibration are gone.*The weights are not shown/);
    await writeFile(path.join(folder, 'out', 'calibration.bin'), 'damaged');
    assert.match(await notes(), /^0 0 The measurements of the calibration are gone/);
  });
});
