import assert from 'node:assert/strict';
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import * as path from 'node:path';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { graphOf, readModel } from '../../src/core/onnx/model';
import { writeModel } from '../../src/core/onnx/write';
import { readReport } from '../../src/core/reportFile';
import { openSession } from '../../src/core/runtime/session';
import { removeStaleTemporaries } from '../../src/core/staleFiles';
import { VERSION } from '../../src/core/version';
import { EngineClient } from '../../src/engine/client';
import { ERROR_CODES, QuantscopeError, type ErrorCode } from '../../src/shared/errors';
import type { QuantizeInput } from '../../src/shared/protocol';
import type { Report } from '../../src/shared/report';
import { CALIBRATION, filesIn, PREPROCESS, quantizeArguments, workspace } from './sampleRuns';
import {
  errorCodeOf,
  missing,
  reportOf,
  ROOT,
  runCli,
  SAMPLES,
  start,
  startCli,
  subfolder,
  temporaryFolder,
} from './support';

const skip = missing(SAMPLES);
const TEMPORARY = /^\..*\.tmp$/;

function jobInput(model: string, outDir: string, samples: number): QuantizeInput {
  return {
    recipe: { model, preprocess: PREPROCESS, calibration: { data: CALIBRATION, samples } },
    baseDir: '/',
    outDir,
  };
}

function newEngine(): EngineClient {
  return new EngineClient({ version: VERSION, entry: path.join(ROOT, 'dist/engine.js') });
}

const temporariesIn = (folder: string): string[] =>
  filesIn(folder).filter((file) => TEMPORARY.test(path.basename(file)));

/** Whatever is there under its final name is whole. */
async function checkWhole(folder: string): Promise<void> {
  for (const name of filesIn(folder)) {
    const file = path.join(folder, name);
    if (TEMPORARY.test(path.basename(name))) continue;
    if (name.endsWith('.json')) assert.doesNotThrow(() => JSON.parse(readFileSync(file, 'utf8')) as unknown, name);
    else if (name.endsWith('.onnx')) await (await openSession(file, { threads: 1 })).close();
    else assert.match(name, /^calibration\.bin$/);
  }
}

/** Numbers in 0…1 that are the same in every run (Mulberry32, https://gist.github.com/tommyettinger/46a874533244883189143505d203312c). */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const crashed = (error: unknown): boolean => error instanceof QuantscopeError && error.code === 'engine-crashed';

describe('an engine that is killed', { skip }, () => {
  test('at ten moments leaves nothing half-written, and the next run succeeds', async (context) => {
    const { model, out } = workspace();
    const engine = newEngine();
    const random = seeded(2);
    const samples = 32;
    const quantize = (onProgress: () => void = () => undefined): Promise<Report> =>
      engine.request('quantize', jobInput(model, out, samples), { onProgress });
    const countProgress = async (): Promise<number> => {
      let events = 0;
      await quantize(() => events++);
      return events;
    };
    try {
      // Moments are counted in steps of progress, which are the same on every machine.
      const steps = { fresh: await countProgress(), cached: await countProgress() };
      let killed = 0;
      for (let moment = 0; moment < 10; moment++) {
        // One half begins from nothing, the other over the results of the run before.
        const fresh = moment % 2 === 0;
        if (fresh) rmSync(out, { recursive: true, force: true });
        let left = Math.ceil(random() * (fresh ? steps.fresh : steps.cached));
        let pid: number | undefined;
        const job = quantize(() => {
          left--;
          if (left !== 0) return;
          pid = engine.pid;
          if (pid !== undefined) process.kill(pid, 'SIGKILL');
        }).then(
          () => 'finished',
          (error: unknown) => error,
        );
        const result = await job;
        // A job that had finished already says nothing of the end of its engine.
        while (engine.pid !== undefined && engine.pid === pid) await sleep(2);
        if (result !== 'finished') {
          assert.ok(crashed(result), String(result));
          killed++;
        }
        await checkWhole(out);
        const report = await quantize();
        assert.ok(report.counts.quantized > 0);
        await checkWhole(out);
        assert.deepEqual(temporariesIn(out), []);
      }
      context.diagnostic(`${killed} of 10 kills came before the end`);
      assert.ok(killed >= 5, `${killed} of 10 kills came before the end`);
    } finally {
      await engine.dispose();
    }
  });

  test('while it writes a file, what it leaves is removed by the next run', async () => {
    const { model, out } = workspace();
    mkdirSync(path.join(out, 'runs'), { recursive: true });
    const files = [path.join(out, 'report.json'), path.join(out, 'runs', 'now.json')];
    for (const file of files) {
      const args = ['--import', 'tsx', path.join(__dirname, 'dieWriting.ts'), file];
      const { signal, stderr } = await start(process.execPath, args).finished;
      assert.equal(signal, 'SIGKILL', stderr);
    }
    assert.equal(temporariesIn(out).length, 2, 'each left one');
    reportOf(await runCli(quantizeArguments(model, out, 4)));
    assert.deepEqual(temporariesIn(out), []);
  });

  test('temporary files of a process that lives are left alone', async () => {
    const folder = temporaryFolder();
    const name = `.report.json.${process.pid}-0123456789ab.tmp`;
    writeFileSync(path.join(folder, name), '');
    assert.deepEqual(await removeStaleTemporaries(folder), []);
    assert.deepEqual(filesIn(folder), [name]);
  });
});

describe('cancelling', { skip: process.platform === 'win32' ? 'there is no SIGINT to send' : skip }, () => {
  const moments: readonly [string, (out: string) => boolean][] = [
    ['as soon as the output folder is there', existsSync],
    ['after calibration', (out) => existsSync(path.join(out, 'calibration.json'))],
  ];
  for (const [name, reached] of moments) {
    test(`${name}: exit 130, one document, nothing half-written`, async () => {
      const { folder, model, out } = workspace();
      const scratch = subfolder(folder, 'tmp');
      const { child, finished } = startCli(quantizeArguments(model, out, 200), { env: { TMPDIR: scratch } });
      while (!reached(out) && child.exitCode === null) await sleep(2);
      child.kill('SIGINT');
      const result = await finished;
      assert.equal(result.code, 130, result.stdout.slice(0, 500) + result.stderr);
      assert.equal(errorCodeOf(result), 'cancelled');
      await checkWhole(out);
      // Where the int8 model was written already, the table beside it says what is missing.
      const report = path.join(out, 'report.json');
      if (existsSync(report)) assert.ok((await readReport(report)).pending?.length);
      assert.deepEqual(filesIn(scratch), [], 'no temporary file of the engine is left');
      reportOf(await runCli(quantizeArguments(model, out, 4)));
      assert.deepEqual(temporariesIn(out), []);
    });
  }

  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    test(`by ${signal} to the whole process group, as a terminal or a CI job sends it: no crash`, async () => {
      const { model, out } = workspace();
      const { child, finished } = startCli(quantizeArguments(model, out, 200), { detached: true });
      while (!existsSync(out) && child.exitCode === null) await sleep(2);
      process.kill(-child.pid!, signal);
      const result = await finished;
      assert.equal(result.code, 130, result.stdout.slice(0, 500) + result.stderr);
      assert.equal(errorCodeOf(result), 'cancelled');
    });
  }
});

test('weights and data that are no numbers are told of', { skip }, async () => {
  const { folder, model, out } = workspace();
  const read = await readModel(model);
  const weight = graphOf(read).initializer.find(({ dims }) => dims.length === 4)!;
  weight.rawData.set(new Uint8Array(Float32Array.of(NaN).buffer));
  await writeModel(model, read);
  const data = path.join(folder, 'inputs.jsonl');
  const plane = Array<unknown>(48).fill(Array(48).fill(0.5));
  const line = JSON.stringify({ image: [Array(3).fill(plane)] });
  // Infinite as float32.
  writeFileSync(data, `${line.replace('0.5', '1e99')}\n`);
  const { warnings } = reportOf(await runCli(['quantize', model, '--data', data, '--out', out, '--json']));
  const text = warnings.join('\n');
  assert.match(text, /^Weights of ".+" hold NaN or infinities/m);
  assert.match(text, /^Calibration saw NaN or infinities in "image"/m);
});

test('without the native modules a job says what is missing and what to do', { skip }, async () => {
  const { folder, model } = workspace();
  const dist = subfolder(folder, 'dist');
  for (const file of ['cli.js', 'engine.js', 'statsWorker.js'])
    cpSync(path.join(ROOT, 'dist', file), path.join(dist, file));
  const result = await start(process.execPath, [path.join(dist, 'cli.js'), 'inspect', model, '--json']).finished;
  assert.deepEqual([errorCodeOf(result), result.code], ['runtime-missing', ERROR_CODES['runtime-missing'].exit]);
  assert.match(result.stdout, /npm install/);
});

describe('a model that is none', { skip }, () => {
  const whole = (): Buffer => readFileSync(path.join(SAMPLES, 'shapes.onnx'));
  const noise = (): Buffer => {
    const random = seeded(7);
    return Buffer.from(Array.from({ length: 4096 }, () => Math.floor(256 * random())));
  };
  const rows: readonly [string, () => Buffer][] = [
    ['empty', () => Buffer.alloc(0)],
    ['cut in half', () => whole().subarray(0, whole().length / 2)],
    ['cut before its last byte', () => whole().subarray(0, -1)],
    ['random bytes', noise],
    ['text', () => Buffer.from('<!doctype html><title>404</title>')],
    ['a Git LFS pointer', () => Buffer.from('version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n')],
    ['zeros', () => Buffer.alloc(1 << 16)],
  ];
  for (const [name, content] of rows) {
    test(`${name}: exit 2 with a code`, async () => {
      const { model, out } = workspace();
      writeFileSync(model, content());
      const result = await runCli(quantizeArguments(model, out, 4));
      assert.equal(result.code, 2, result.stdout + result.stderr);
      const code = errorCodeOf(result) as ErrorCode;
      assert.ok(code in ERROR_CODES && code !== 'internal', code);
      assert.ok(!existsSync(out));
    });
  }

  test('missing: exit 2', async () => {
    const { folder, out } = workspace();
    const result = await runCli(quantizeArguments(path.join(folder, 'none.onnx'), out, 4));
    assert.equal(result.code, 2);
    assert.equal(errorCodeOf(result), 'file-not-found');
  });
});

/** All of a report's layers but the times, which differ from run to run. */
function layersOf({ layers }: Report): object[] {
  return layers.map((layer) => ({ ...layer, time: null }));
}

test('calibration is reused as long as model, data and preprocessing are the same', { skip }, async () => {
  const { model, out } = workspace();
  const base = quantizeArguments(model, out, 16);
  const run = async (...more: readonly string[]): Promise<Report> => reportOf(await runCli([...base, ...more]));
  const cached = (report: Report): boolean | undefined => report.calibration?.cached;

  const first = await run();
  assert.equal(cached(first), false);
  const second = await run();
  assert.equal(cached(second), true);
  assert.deepEqual(layersOf(second), layersOf(first));

  const observer = await run('--observer', 'entropy');
  assert.equal(cached(observer), true);
  assert.notDeepEqual(layersOf(observer), layersOf(first), 'another observer gives other ranges');
  const name = first.layers.find((layer) => layer.op === 'Conv' && layer.status === 'quantized')!.name;
  const excluded = await run('--exclude', name);
  assert.equal(cached(excluded), true);
  assert.deepEqual(excluded.layers.find((layer) => layer.name === name)?.reason, 'excluded');

  assert.equal(cached(await run('--preprocess', JSON.stringify({ ...PREPROCESS, color: 'bgr' }))), false);
  assert.equal(cached(await run('--samples', '8')), false);
  const again = await run();
  assert.equal(cached(again), false);
  assert.deepEqual(layersOf(again), layersOf(first));

  const file = path.join(out, 'calibration.bin');
  const bytes = readFileSync(file);
  bytes[bytes.length >> 1]! ^= 1;
  writeFileSync(file, bytes);
  const damaged = await run();
  assert.equal(cached(damaged), false, 'a damaged cache is measured again');
  assert.deepEqual(layersOf(damaged), layersOf(first));
});

test('two jobs at once run one after the other', { skip }, async () => {
  const { folder, model } = workspace();
  const engine = newEngine();
  const order: number[] = [];
  const job = (index: number): Promise<Report> =>
    engine.request('quantize', jobInput(model, path.join(folder, `out${index}`), 8), {
      onProgress: () => order.push(index),
    });
  try {
    const [first, second] = await Promise.all([job(0), job(1)]);
    assert.deepEqual(layersOf(first), layersOf(second));
    assert.deepEqual(
      order,
      order.toSorted((a, b) => a - b),
    );
    assert.deepEqual([...new Set(order)], [0, 1]);
  } finally {
    await engine.dispose();
  }
});

test('two programs at once with the same output folder do not disturb each other', { skip }, async () => {
  const { model, out } = workspace();
  const finished = await Promise.all([1, 2].map(() => runCli(quantizeArguments(model, out, 8))));
  const [first, second] = finished.map(reportOf);
  assert.deepEqual(layersOf(first!), layersOf(second!));
  await checkWhole(out);
  assert.deepEqual(temporariesIn(out), []);
});
