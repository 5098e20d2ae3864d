import assert from 'node:assert/strict';
import { cp, mkdir, mkdtemp, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import * as os from 'node:os';
import * as path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { toBinary } from '@bufbuild/protobuf';
import fc from 'fast-check';
import type { Preprocess } from '../../shared/recipe';
import { TensorProtoSchema } from '../onnx/generated/onnx_pb';
import { makeTensorProto } from '../onnx/tensorProto';
import { openDataset, type DatasetOptions } from './dataset';
import type { Dataset, InputInfo, Sample } from './types';

const ROOT = path.resolve(__dirname, '../../..');
const FIXTURES = path.join(ROOT, 'test/fixtures/data');
const IMAGE: InputInfo = { name: 'x', type: 'float32', shape: [1, 3, 16, 16] };
const PAIR: InputInfo = { name: 'x', type: 'float32', shape: ['N', 2] };

let dir = '';
before(async () => (dir = await mkdtemp(path.join(os.tmpdir(), 'quantscope-data-'))));
after(() => rm(dir, { recursive: true }));

const open = (
  sources: string | string[],
  inputs: InputInfo[] = [IMAGE],
  options: Partial<DatasetOptions> = {},
): Promise<Dataset> => openDataset(sources, inputs, { baseDir: dir, preprocess: {}, ...options });

async function collect(dataset: Dataset, signal?: AbortSignal): Promise<Sample[]> {
  const out: Sample[] = [];
  for await (const sample of dataset.samples(signal)) out.push(sample);
  return out;
}

const values = (samples: readonly Sample[]): number[][] =>
  samples.map(({ feeds }) => Array.from<number | bigint>(Object.values(feeds)[0]!.data).map(Number));
const code =
  (wanted: string, message = /./) =>
  (error: unknown) =>
    (error as { code?: string }).code === wanted && message.test((error as Error).message);

describe('folders and globs of images', () => {
  before(async () => {
    const image = path.join(FIXTURES, 'images/small.png');
    for (const name of [
      'b.png',
      'a/z.png',
      'a/A.PNG',
      'é.png',
      '\u{1f600}.png',
      '\uff5e.png',
      '.hidden.png',
      'a/b/c.jpeg',
    ]) {
      await cp(image, path.join(dir, 'pictures', name));
    }
    await writeFile(path.join(dir, 'pictures/labels.tsv'), 'b.png\t1\n');
    await symlink('..', path.join(dir, 'pictures/a/loop'));
    await cp(path.join(FIXTURES, 'unreadable'), path.join(dir, 'odd'), { recursive: true });
    await mkdir(path.join(dir, 'nothing'));
  });

  const all = ['a/A.PNG', 'a/b/c.jpeg', 'a/z.png', 'b.png', 'é.png', '\uff5e.png', '\u{1f600}.png'];
  const sources: [source: string | string[], ids: string[]][] = [
    ['pictures', all],
    ['pictures/**', all],
    ['pictures/*.png', all.slice(3)],
    ['pictures/**/*.{PNG,jpeg}', ['a/A.PNG', 'a/b/c.jpeg']],
    ['pic*/a/*', ['pictures/a/A.PNG', 'pictures/a/z.png']],
    [
      ['pictures/b.png', 'pictures/a/b'],
      ['b.png', 'c.jpeg'],
    ],
    [['pictures', 'pictures/b.png'], all],
  ];
  for (const [source, ids] of sources) {
    test(String(source), async () => {
      const dataset = await open(source);
      assert.deepEqual([dataset.kind, dataset.count, dataset.ids], ['images', ids.length, ids]);
      assert.deepEqual(
        (await collect(dataset)).map((sample) => sample.id),
        ids,
      );
    });
  }

  test('two files of one name go by their full paths', async () => {
    const twin = path.join(dir, 'twin/b.png');
    await cp(path.join(FIXTURES, 'images/small.png'), twin);
    const { ids } = await open(['pictures/b.png', 'pictures/a/b', 'twin']);
    assert.deepEqual(
      ids,
      [path.join(dir, 'pictures/b.png'), 'c.jpeg', twin].map((id) => id.replaceAll('\\', '/')),
    );
  });

  test('choosing is even: sample i is item floor(i·total/N)', async () => {
    const lines = Array.from({ length: 37 }, (_, i) => JSON.stringify({ x: [i, i] })).join('\n');
    await writeFile(path.join(dir, 'many.jsonl'), lines);
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 50 }), async (wanted) => {
        const { ids } = await open('many.jsonl', [PAIR], { samples: wanted });
        const count = Math.min(wanted, 37);
        assert.deepEqual(
          ids,
          Array.from({ length: count }, (_, i) => `many.jsonl#${Math.floor((i * 37) / count)}`),
        );
      }),
    );
  });

  test('unreadable images are named and passed over, in every run alike', async () => {
    const dataset = await open('odd');
    assert.deepEqual(dataset.skipped, [
      { item: 'bitmap.bmp', reason: '.bmp images are not supported; convert it to PNG.' },
    ]);
    for (let run = 0; run < 2; run++) {
      assert.deepEqual(
        (await collect(dataset)).map((sample) => sample.id),
        ['fine.png'],
      );
      assert.deepEqual(
        dataset.skipped.map(({ item }) => item),
        ['bitmap.bmp', 'cut.jpg', 'empty.png', 'text.jpg'],
      );
      assert.ok(dataset.skipped.every(({ reason }) => reason.length > 5 && !reason.includes('\n')));
    }
  });

  test('nothing to read is an error', async () => {
    await assert.rejects(open('nothing'), code('data-empty', /"nothing" holds no data/));
    await assert.rejects(open('pictures/*.webp'), code('data-empty'));
    await assert.rejects(open('odd/*.bmp'), code('data-empty', /1 images of other formats, such as bitmap.bmp/));
    await assert.rejects(open('missing'), code('file-not-found'));
    await assert.rejects(
      collect(await open('odd/{cut,text}.jpg')),
      code('data-empty', /None of the 2 samples could be read. cut.jpg: /),
    );
  });

  test('images do not feed several inputs', async () => {
    await assert.rejects(open('pictures', [IMAGE, PAIR]), code('data-invalid', /one input; this one has 2/));
  });

  test('a crop larger than the image skips it', async () => {
    const dataset = await open('pictures/b.png', [{ ...IMAGE, shape: [1, 3, 20, 20] }], { preprocess: { crop: 20 } });
    await assert.rejects(collect(dataset), code('data-empty', /16×16 pixels is smaller than the crop of 20×20/));
  });
});

describe('arrays', () => {
  before(async () => {
    await cp(path.join(FIXTURES, 'npz'), path.join(dir, 'npz'), { recursive: true });
    await cp(path.join(FIXTURES, 'hostile'), path.join(dir, 'hostile'), { recursive: true });
    const tensor = (name: string, data: number[]): Uint8Array =>
      toBinary(
        TensorProtoSchema,
        makeTensorProto(name, { type: 'float32', dims: [1, data.length], data: Float32Array.from(data) }),
      );
    for (const set of [0, 1]) {
      const folder = path.join(dir, `zoo/test_data_set_${set}`);
      await mkdir(folder, { recursive: true });
      await writeFile(path.join(folder, 'input_0.pb'), tensor('', [set, 1]));
      await writeFile(path.join(folder, 'input_1.pb'), tensor('', [set, 2, 3]));
      await writeFile(path.join(folder, 'output_0.pb'), tensor('', [9]));
    }
    await writeFile(path.join(dir, 'lone.pb'), tensor('any', [5, 6]));
  });

  test('an .npz of several inputs: samples side by side, single values with all of them', async () => {
    const inputs: InputInfo[] = [
      { name: 'ids', type: 'int64', shape: ['N', 2] },
      { name: 'mask', type: 'float32', shape: ['N', 2] },
      { name: 'rate', type: 'int64', shape: [] },
    ];
    const dataset = await open('npz/named.npz', inputs);
    assert.deepEqual([dataset.kind, dataset.count], ['npz', 4]);
    const samples = await collect(dataset);
    assert.deepEqual(values(samples), [
      [0, 1],
      [2, 3],
      [4, 5],
      [6, 7],
    ]);
    assert.ok(samples.every(({ feeds }) => feeds['rate']!.data[0] === 16000n && feeds['mask']!.type === 'float32'));
    await assert.rejects(open('npz/named.npz', [...inputs, PAIR]), code('data-invalid', /lacks the input "x"/));
  });

  test('a file is split, a folder holds one sample a file', async () => {
    assert.deepEqual(values(await collect(await open('npz/one.npz', [PAIR]))), [
      [0, 1],
      [2, 3],
      [4, 5],
    ]);
    const folder = await open('npz/o*', [PAIR]);
    assert.deepEqual(values(await collect(folder)), [[0, 1, 2, 3, 4, 5]]);
    const batches = await open('npz/one.npz', [{ ...PAIR, shape: [2, 2] }]);
    assert.deepEqual(values(await collect(batches)), [[0, 1, 2, 3]]);
    assert.deepEqual(
      batches.skipped.map(({ item }) => item),
      ['one.npz (last 1 rows)'],
    );
  });

  test('a hostile file is an error by itself and skipped in a folder', async () => {
    await assert.rejects(open('hostile/huge.npy', [PAIR]), code('data-invalid', /huge.npy cannot be read: .*needs/));
    await assert.rejects(open('hostile/bomb.npz', [PAIR]), code('data-invalid', /not believable/));
    const dataset = await open('hostile', [PAIR]);
    await assert.rejects(collect(dataset), code('data-empty', /None of the 9/));
    assert.equal(dataset.skipped.length, 9);
  });

  test('the test data sets of the ONNX model zoo', async () => {
    const inputs: InputInfo[] = [PAIR, { name: 'y', type: 'float32', shape: [1, 3] }];
    const dataset = await open('zoo', inputs);
    assert.deepEqual([dataset.kind, dataset.ids], ['tensor-proto', ['test_data_set_0', 'test_data_set_1']]);
    const samples = await collect(dataset);
    assert.deepEqual(
      samples.map(({ feeds }) => Array.from(feeds['y']!.data as Float32Array)),
      [
        [0, 2, 3],
        [1, 2, 3],
      ],
    );
    assert.deepEqual((await open('zoo/test_data_set_1', inputs)).ids, ['test_data_set_1']);
    assert.deepEqual(values(await collect(await open('lone.pb', [PAIR]))), [[5, 6]]);
  });

  test('a sample of another shape stops the run', async () => {
    await assert.rejects(
      collect(await open('npz/one.npz', [{ ...PAIR, shape: [1, 5] }])),
      code('data-invalid', /\[1, 5\].*its shape is \[1, 2\]/),
    );
  });

  test('kinds do not mix', async () => {
    await assert.rejects(
      open(['npz/one.npz', 'lone.pb'], [PAIR]),
      code('data-invalid', /npz\/one.npz \(arrays\), lone.pb \(protos\)/),
    );
  });
});

describe('JSON', () => {
  test('lines are samples; a damaged one is skipped, one that does not fit is an error', async () => {
    await writeFile(
      path.join(dir, 'a.jsonl'),
      '\uFEFF{"x":[1,2],"label":3}\r\n\n  \n{"x":[3,\n{"x":[[4,5]],"label":1}',
    );
    const dataset = await open('a.jsonl', [PAIR]);
    assert.deepEqual(values(await collect(dataset)), [
      [1, 2],
      [4, 5],
    ]);
    assert.deepEqual(
      dataset.skipped.map(({ item }) => item),
      ['a.jsonl#1'],
    );
    await writeFile(path.join(dir, 'b.jsonl'), '{"x":[1,2,3]}');
    await assert.rejects(collect(await open('b.jsonl', [PAIR])), code('data-invalid', /b.jsonl#0/));
  });

  test('a .json array, and what is none', async () => {
    await writeFile(path.join(dir, 'c.json'), '[{"x":[1,2]},{"x":[3,4]}]');
    assert.deepEqual(values(await collect(await open('c.json', [PAIR]))), [
      [1, 2],
      [3, 4],
    ]);
    for (const text of ['{"x":[1,2]}', '[', '']) {
      await writeFile(path.join(dir, 'd.json'), text);
      await assert.rejects(open('d.json', [PAIR]), code('data-invalid', /d.json is not/));
    }
    await writeFile(path.join(dir, 'e.jsonl'), '\n');
    await assert.rejects(open('e.jsonl', [PAIR]), code('data-empty'));
  });
});

describe('modules', () => {
  const modules: [name: string, text: string][] = [
    [
      'generator.mjs',
      'export async function* samples() { for (let i = 0; i < 3; i++) yield { x: new Float32Array([i, 1]) }; }',
    ],
    ['endless.mjs', 'export function* samples() { for (let i = 0; ; i++) yield { x: [i, 1] }; }'],
    ['array.mjs', 'export default [{ x: [0, 1] }, { x: [1, 1] }, { x: [2, 1] }];'],
    ['common.cjs', 'exports.samples = async () => [{ x: [0, 1] }, { x: [1, 1] }, { x: [2, 1] }];'],
  ];
  for (const [name, text] of modules) {
    test(name, async () => {
      await writeFile(path.join(dir, name), text);
      const dataset = await open(name, [PAIR], { trusted: true, samples: 3 });
      assert.deepEqual([dataset.kind, dataset.ids], ['module', [0, 1, 2].map((i) => `${name}#${i}`)]);
      for (let run = 0; run < 2; run++)
        assert.deepEqual(values(await collect(dataset)), [
          [0, 1],
          [1, 1],
          [2, 1],
        ]);
      assert.equal(
        await dataset.fingerprint(),
        await (await open(name, [PAIR], { trusted: true, samples: 3 })).fingerprint(),
      );
    });
  }

  const wrong: [text: string, message: RegExp][] = [
    ['export const other = 1;', /exports no "samples"/],
    ['export const samples = (function* () {})();', /only once/],
    ['export const samples = () => 3;', /returns nothing/],
    ['export function* samples() { throw new Error("no disk"); }', /failed: no disk/],
    ['export const samples = [{ x: [1, 2, 3] }];', /its shape is \[3\]/],
    ['export const = ;', /failed/],
  ];
  for (const [i, [text, message]] of wrong.entries()) {
    test(`refuses ${text}`, async () => {
      await writeFile(path.join(dir, `wrong${i}.mjs`), text);
      await assert.rejects(open(`wrong${i}.mjs`, [PAIR], { trusted: true }), code('data-invalid', message));
    });
  }

  test('does not run where it is not trusted, nor when it is only found', async () => {
    const file = path.join(dir, 'code/evil.mjs');
    await mkdir(path.dirname(file));
    await writeFile(file, 'globalThis.evil = true; export const samples = [{ x: [1, 2] }];');
    await assert.rejects(open('code/evil.mjs', [PAIR]), code('data-untrusted'));
    await assert.rejects(open('code', [PAIR], { trusted: true }), code('data-empty'));
    assert.ok(!('evil' in globalThis));
    await writeFile(file, 'export const samples = [];');
    await assert.rejects(open('code/evil.mjs', [PAIR], { trusted: true }), code('data-empty'));
  });
});

describe('streaming', () => {
  test('stops at the signal, before the next sample', async () => {
    const dataset = await open('many.jsonl', [PAIR]);
    const abort = new AbortController();
    const seen: string[] = [];
    const run = async (): Promise<void> => {
      for await (const { id } of dataset.samples(abort.signal)) {
        seen.push(id);
        if (seen.length === 2) abort.abort();
      }
    };
    await assert.rejects(run(), code('cancelled'));
    assert.equal(seen.length, 2);
    await assert.rejects(collect(dataset, AbortSignal.abort()), code('cancelled'));
  });

  test('may be left early and started again', async () => {
    const dataset = await open('many.jsonl', [PAIR]);
    for await (const { id } of dataset.samples()) {
      assert.equal(id, 'many.jsonl#0');
      break;
    }
    assert.equal((await collect(dataset)).length, 37);
  });
});

describe('synthetic', () => {
  test('depends on the seed alone', async () => {
    const [a, b, c] = await Promise.all([0, 0, 1].map((seed) => open('synthetic', [PAIR], { seed, samples: 3 })));
    const [x, y, z] = await Promise.all([a!, b!, c!].map(async (dataset) => values(await collect(dataset))));
    assert.deepEqual(x, y);
    assert.notDeepEqual(x, z);
    assert.deepEqual([a!.kind, a!.count, await a!.fingerprint()], ['synthetic', 3, await b!.fingerprint()]);
    assert.notEqual(await a!.fingerprint(), await c!.fingerprint());
    await assert.rejects(open('synthetic', [{ ...PAIR, type: 'string' }]), code('data-invalid'));
  });
});

describe('fingerprint', () => {
  test('changes with what decides the samples, and with nothing else', async () => {
    const file = path.join(dir, 'prints/a.png');
    await cp(path.join(FIXTURES, 'images/small.png'), file);
    const print = async (preprocess: Preprocess = {}, input = IMAGE): Promise<string> =>
      (await open('prints', [input], { preprocess })).fingerprint();
    const first = await print();
    assert.match(first, /^[0-9a-f]{64}$/);
    await utimes(file, 1, 1);
    assert.equal(await print(), first);
    assert.equal(await print({ color: 'rgb', scale: 1 }), first, 'the same preprocessing in other words');
    const others = [await print({ preset: 'unit' }), await print({}, { ...IMAGE, name: 'y' })];
    await cp(path.join(FIXTURES, 'images/palette.png'), file);
    others.push(await print());
    await cp(file, path.join(dir, 'prints/b.png'));
    others.push(await print());
    assert.equal(new Set([first, ...others]).size, 5);
  });
});
