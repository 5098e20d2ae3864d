/** Whole command lines against an engine that answers what the test says. */

import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { after, describe, test } from 'node:test';
import { layer as layerOf, measure } from '../../test/helpers/report';
import { guessForInputs } from '../core/data/preprocess';
import type { EngineClient, RequestOptions } from '../engine/client';
import { EXIT, QuantscopeError, type ExitStatus } from '../shared/errors';
import type { JobName } from '../shared/protocol';
import type { LayerReport, Report } from '../shared/report';
import { runCli } from './app';
import { COMMANDS } from './commands';

const cwd = mkdtempSync(path.join(os.tmpdir(), 'quantscope-cli-'));
after(() => rmSync(cwd, { recursive: true, force: true }));

interface Call {
  readonly name: JobName;
  readonly input: Readonly<Record<string, unknown>>;
  readonly options: RequestOptions;
}

interface Ran {
  readonly exit: ExitStatus;
  readonly stdout: string;
  readonly stderr: string;
  readonly calls: readonly Call[];
  readonly disposed: number;
}

type Answers = Partial<Record<JobName, unknown>>;

async function cli(args: readonly string[], answers: Answers = {}, tty = false, signal?: AbortSignal): Promise<Ran> {
  const written = { stdout: '', stderr: '' };
  const calls: Call[] = [];
  let disposed = 0;
  const output = (stream: 'stdout' | 'stderr'): { isTTY: boolean; columns: number; write: (text: string) => void } => {
    return { isTTY: tty, columns: 80, write: (text) => (written[stream] += text) };
  };
  const engine = {
    request: async (name: JobName, input: unknown, options: RequestOptions = {}): Promise<unknown> => {
      calls.push({ name, input: input as Call['input'], options });
      options.onProgress?.({ stage: 'read', done: 0, total: 1 });
      const answer = answers[name];
      if (answer instanceof Error) throw answer;
      return answer;
    },
    dispose: async () => {
      disposed++;
    },
  };
  const exit = await runCli(args, {
    ...{ cwd, env: {}, version: '1.2.3', signal: signal ?? new AbortController().signal },
    ...{ stdout: output('stdout'), stderr: output('stderr') },
    engine: engine as unknown as EngineClient,
    serve: async () => EXIT.engineFailure,
  });
  return { exit, ...written, calls, disposed };
}

const MODEL: Report['model'] = {
  ...{ path: 'net.onnx', sha256: '', bytes: 4_000_000, opset: 13, producer: 'p' },
  inputs: [{ name: 'x', type: 'float32', shape: [1, 3, 224, 224] }],
  outputs: [{ name: 'y', type: 'float32', shape: [1, 10] }],
};

const INSPECTION = {
  model: MODEL,
  backend: 'ort-cpu',
  guess: guessForInputs(MODEL.inputs),
  machine: { cpu: '', isa: 'avx2', saturates: true },
  layers: [],
  counts: { quantize: 0, float: 0 },
  normalization: [],
  warnings: ['odd\u001b[0m'],
};

function reportWith(changes: Partial<Report> = {}): Report {
  return {
    ...{ version: 1, tool: 't', created: '', framework: 'onnx', model: MODEL, recipe: { model: 'net.onnx' } },
    quantized: { path: path.join(cwd, 'net.quant/net.int8.onnx'), bytes: 1_000_000, opset: 13 },
    ...{ backend: 'ort-cpu', mode: 'static', format: 'qdq', normalization: [], layers: [], unmatched: [], matched: 0 },
    environment: { runtime: '', cpu: '', saturates: true, isa: 'avx2', threads: 1, platform: '' },
    calibration: null,
    counts: { quantized: 26, float: 4, fallback: 1 },
    outputs: [{ name: 'y', error: { sqnr: 18.25, cosine: 0.99, worst: { sample: 'a.png', sqnr: 9 } } }],
    accuracy: { samples: 300, top1: { fp32: 70, int8: 68.5 }, top5: null, agreement: 95 },
    ...{ seconds: {}, warnings: [] },
    ...changes,
  };
}

/** The one document on standard output. */
function document(ran: Ran): Readonly<Record<string, unknown>> {
  assert.equal(ran.stdout.trimEnd().split('\n').length, 1);
  return JSON.parse(ran.stdout) as Readonly<Record<string, unknown>>;
}

describe('help and version', () => {
  test('the program names every command, every command its options', async () => {
    const { stdout, exit } = await cli(['--help']);
    assert.equal(exit, 0);
    assert.equal((document(await cli(['--help', '--json']))['commands'] as unknown[]).length, COMMANDS.length);
    for (const { name } of COMMANDS) assert.match(stdout, new RegExp(`^  ${name} +\\S`, 'm'));
    for (const { name, options, positional } of COMMANDS) {
      const described = document(await cli([name, '--help', '--json']))['options'] as { name: string }[];
      assert.deepEqual(
        described.map((option) => option.name),
        Object.keys(options).map((option) => `--${option}`),
      );
      const help = await cli([name, '--help']);
      assert.equal(help.exit, 0);
      assert.ok(help.stdout.includes(`quantscope ${name} ${positional?.placeholder ?? ''}`));
      for (const option of Object.keys(options)) assert.match(help.stdout, new RegExp(`^  --${option}\\b`, 'm'));
    }
  });

  test('a server prints for itself, and its exit status counts', async () => {
    for (const name of ['lsp', 'mcp']) {
      assert.deepEqual(await cli([name, '--stdio']), { exit: 3, stdout: '', stderr: '', calls: [], disposed: 1 });
      assert.match((await cli([name, '--stdoi'])).stderr, /--stdio/);
    }
  });

  test('version', async () => {
    assert.equal((await cli(['--version'])).stdout, '1.2.3\n');
    assert.deepEqual(document(await cli(['--version', '--json'])), { version: '1.2.3' });
  });
});

describe('errors', () => {
  test('a cancelled search shows what it has found, and ends with the status of a cancelled one', async () => {
    writeFileSync(path.join(cwd, 'cancelled.quant.yaml'), 'model: net.onnx\n');
    const point = { ...{ changes: [], sqnr: 30, agreement: null, top1: null }, latencyRatio: null };
    const start = { ...point, bytes: 1, macs: 100, reached: true };
    const tune = {
      ...{ start, best: start, points: [start], complete: false },
      top1Fp32: null,
      samples: 1,
      seconds: 1,
    };
    const args = ['tune', 'cancelled.quant.yaml', '--min-sqnr', '20'];
    assert.equal((await cli(args, { tune })).exit, 0);
    const ran = await cli(args, { tune }, false, AbortSignal.abort());
    assert.equal(ran.exit, 130);
    assert.match(ran.stdout, /30\.0 dB/);
  });

  const crash = new QuantscopeError('engine-crashed', 'It ended\u001b[2J.');
  const cases: readonly (readonly [args: readonly string[], answers: Answers, exit: ExitStatus, code: string])[] = [
    [[], {}, 2, 'usage'],
    [['quantise', 'net.onnx'], {}, 2, 'usage'],
    [['quantize', 'net.onnx'], {}, 2, 'usage'],
    [['quantize', '--data', 'x'], {}, 2, 'usage'],
    [['quantize', 'a.onnx', 'b.onnx', '--data', 'x'], {}, 2, 'usage'],
    [['quantize', 'net.onnx', '--data', 'x', '--labels', 'l.tsv'], {}, 2, 'usage'],
    [['inspect', 'net.onnx', '--backend', 'ortcpu'], {}, 2, 'backend-unknown'],
    [['inspect', 'net.onnx', '--frob'], {}, 2, 'usage'],
    [['run', 'missing.quant.yaml'], {}, 2, 'file-not-found'],
    [['layers', 'missing.json'], {}, 2, 'file-not-found'],
    [['evaluate', 'net.onnx', '--data', 'x', '--labels', 'y'], {}, 2, 'usage'],
    [['inspect', 'net.onnx'], { inspect: crash }, 3, 'engine-crashed'],
    [['inspect', 'net.onnx'], { inspect: new QuantscopeError('cancelled', 'Stop.') }, 130, 'cancelled'],
    [['inspect', 'net.onnx'], { inspect: new TypeError('bug') }, 3, 'internal'],
  ];

  for (const [args, answers, exit, code] of cases) {
    test(`${args.join(' ') || 'nothing'}: ${code}`, async () => {
      const text = await cli(args, answers);
      assert.deepEqual([text.exit, text.stdout, text.disposed], [exit, '', 1]);
      assert.match(text.stderr, new RegExp(`^error ${code}: `));
      assert.ok(!text.stderr.includes('\u001b'));
      const json = await cli([...args, '--json'], answers);
      assert.deepEqual([json.exit, json.stderr], [exit, '']);
      const error = document(json)['error'] as Record<string, string>;
      assert.deepEqual([Object.keys(error), error['code']], [['code', 'message', 'hint'], code]);
    });
  }

  test('--json after -- is no option', async () => {
    const ran = await cli(['inspect', '--', '--json'], { inspect: INSPECTION });
    assert.match(ran.stdout, /^model +--json, 4\.00 MB/);
  });
});

describe('inspect', () => {
  test('asks the engine, prints text or the whole inspection', async () => {
    const text = await cli(['inspect', 'net.onnx', '--backend', 'qnn'], { inspect: INSPECTION });
    assert.deepEqual(text.calls[0]?.input, { model: 'net.onnx', backend: 'qnn', baseDir: cwd });
    assert.match(text.stdout, /x float32 1×3×224×224/);
    assert.match(text.stdout, /warning odd\\u001b/);
    assert.deepEqual(document(await cli(['inspect', 'net.onnx', '--json'], { inspect: INSPECTION })), INSPECTION);
  });

  test('progress goes to a terminal on standard error, never to a file', async () => {
    assert.equal((await cli(['inspect', 'net.onnx'], { inspect: INSPECTION })).stderr, '');
    const terminal = await cli(['inspect', 'net.onnx', '--json'], { inspect: INSPECTION }, true);
    assert.match(terminal.stderr, /read/);
    assert.deepEqual(document(terminal), INSPECTION);
  });
});

describe('quantize', () => {
  test('makes a recipe of the flags', async () => {
    const flags = '--data d --preprocess caffe --backend x86 --observer mse --samples 7 --exclude a --exclude op:B';
    const more =
      '--mode static --format qoperator --validate v --labels l.tsv --out o --threads 2 --memory-cap 1GB --trust';
    const { calls, exit } = await cli(['quantize', 'net.onnx', ...flags.split(' '), ...more.split(' ')], {
      quantize: reportWith(),
    });
    assert.equal(exit, 0);
    assert.deepEqual(
      calls.map(({ name, input }) => [name, input]),
      [
        [
          'quantize',
          {
            recipe: {
              ...{ model: 'net.onnx', backend: 'x86', mode: 'static', format: 'qoperator' },
              ...{ calibration: { data: 'd', samples: 7, observer: 'mse' }, preprocess: 'caffe' },
              layers: [
                { select: 'a', quantize: false },
                { select: 'op:B', quantize: false },
              ],
              validate: { data: 'v', labels: 'l.tsv' },
            },
            ...{ baseDir: cwd, outDir: path.join(cwd, 'o') },
          },
        ],
      ],
    );
    const { threads, memoryCapBytes, trusted } = calls[0]?.options ?? {};
    assert.deepEqual([threads, memoryCapBytes, trusted], [2, 1e9, true]);
  });

  test('without --preprocess guesses it and says so; says where all is and how to keep the settings', async () => {
    const answers = { inspect: INSPECTION, quantize: reportWith() };
    const { calls, stdout } = await cli(['quantize', 'sub/net.onnx', '--data', 'd'], answers);
    const { recipe, outDir } = calls[1]?.input as { recipe: Report['recipe']; outDir: string };
    assert.deepEqual(recipe.preprocess, { preset: 'imagenet', resize: { mode: 'shorter-side', size: 256 }, crop: 224 });
    assert.equal(outDir, path.join(cwd, 'sub/net.quant'));
    assert.match(stdout, /preprocessing is guessed/);
    for (const pattern of [
      /■ 26 int8 {3}○ 4 float {3}▲ 1 fallback/,
      /top-1 70\.0 % → 68\.5 % \(−1\.50 points\), same class 95\.0 %, on 300 samples/,
      /4\.00 MB → 1\.00 MB \(4\.00× smaller\)/,
      /y 18\.3 dB, cosine 0\.99000, worst sample a\.png 9\.00 dB/,
      /avx2 \(u8×s8 products saturate\)/,
      /net\.quant.net\.int8\.onnx/,
      /quantscope layers .*report\.json --sort sqnr/,
      /quantscope init sub\/net\.onnx --data d/,
    ]) {
      assert.match(stdout, pattern);
    }
    assert.equal(existsSync(path.join(cwd, 'sub')), false);
  });
});

describe('run', () => {
  const recipe = (gates: string): string => {
    writeFileSync(path.join(cwd, 'net.quant.yaml'), `model: net.onnx\ncalibration: { data: d }\n${gates}`);
    return 'net.quant.yaml';
  };

  test('a gate that fails is exit status 1, with reasons', async () => {
    const gates = { 'max-accuracy-drop': 1, 'min-output-sqnr': 10 };
    const answers = { quantize: reportWith({ recipe: { model: 'net.onnx', gates } }) };
    const args = ['run', recipe(`gates: ${JSON.stringify(gates)}`)];
    const text = await cli(args, answers);
    assert.equal(text.exit, 1);
    assert.match(text.stdout, /✗ failed max-accuracy-drop: Top-1 drops by 1\.50 points; the gate allows 1\./);
    assert.match(text.stdout, /✓ passed min-output-sqnr/);
    const json = await cli([...args, '--json'], answers);
    assert.equal(json.exit, 1);
    const { gates: outcome, version } = document(json) as { gates: { passed: boolean }[]; version: number };
    assert.deepEqual([version, outcome.map(({ passed }) => passed)], [1, [false, true]]);
  });

  test('paths start at the recipe', async () => {
    const { calls, exit } = await cli(['run', recipe('')], { quantize: reportWith() });
    assert.equal(exit, 0);
    assert.deepEqual([calls[0]?.input['baseDir'], calls[0]?.input['outDir']], [cwd, path.join(cwd, 'net.quant')]);
  });

  test('a recipe with mistakes names them', async () => {
    const { exit, stderr } = await cli(['run', recipe('gatse: 1')]);
    assert.equal(exit, 2);
    assert.match(stderr, /net\.quant\.yaml:3:1: `gatse`.*Did you mean "gates"/);
  });
});

describe('init', () => {
  test('writes a recipe that `run` reads, explains the guess, and overwrites nothing', async () => {
    const first = await cli(['init', 'fresh.onnx', '--data', 'images/cal'], { inspect: INSPECTION });
    assert.equal(first.exit, 0);
    const text = readFileSync(path.join(cwd, 'fresh.quant.yaml'), 'utf8');
    assert.match(text, /# Guessed, check it/);
    assert.match(text, /# "x" takes 224×224 colour images/);
    const run = await cli(['run', 'fresh.quant.yaml'], { quantize: reportWith() });
    assert.deepEqual((run.calls[0]?.input['recipe'] as Report['recipe']).calibration, {
      data: 'images/cal',
      samples: 100,
    });
    const second = await cli(['init', 'fresh.onnx', '--data', 'other'], { inspect: INSPECTION });
    assert.deepEqual([second.exit, second.calls.length], [2, 0]);
    assert.match(second.stderr, /fresh\.quant\.yaml exists/);
    assert.equal(readFileSync(path.join(cwd, 'fresh.quant.yaml'), 'utf8'), text);
  });
});

describe('layers', () => {
  test('reads a report, its folder or the recipe of its run; refuses other files and other versions', async () => {
    writeFileSync(path.join(cwd, 'report.json'), JSON.stringify(reportWith()));
    mkdirSync(path.join(cwd, 'ran.quant'));
    writeFileSync(path.join(cwd, 'ran.quant/report.json'), JSON.stringify(reportWith()));
    writeFileSync(path.join(cwd, 'ran.quant.yaml'), 'model: ran.onnx\n');
    for (const place of ['report.json', '.', 'ran.quant.yaml']) {
      assert.deepEqual(document(await cli(['layers', place, '--json'])), { counts: reportWith().counts, layers: [] });
    }
    for (const content of ['{"version":1}', '[', '3', JSON.stringify({ ...reportWith(), version: 99 })]) {
      writeFileSync(path.join(cwd, 'other.json'), content);
      assert.match((await cli(['layers', 'other.json'])).stderr, /^error report-invalid/);
    }
  });
});

describe('compare', () => {
  test('two reports, the layers that changed first of all; exactly two', async () => {
    const layer = (name: string, sqnr: number | null): LayerReport => layerOf(name, { local: measure(sqnr) });
    const write = (name: string, layers: LayerReport[], observer: string): void => {
      const calibration = { data: 'd', synthetic: false, samples: 1, observer, skipped: [], cached: false };
      writeFileSync(path.join(cwd, name), JSON.stringify({ ...reportWith(), layers, calibration }));
    };
    write('first.json', [layer('same', 30), layer('changed', 20), layer('gone', 9)], 'min-max');
    write('second.json', [layer('same', 30.01), layer('changed', null), layer('new', 25)], 'mse');
    const { stdout, exit } = await cli(['compare', 'first.json', 'second.json']);
    assert.equal(exit, 0);
    assert.match(stdout, /error +changed +Conv +int8 +QLinearConv +20\.0 dB → exact/);
    assert.match(stdout, /removed +gone[^]*9\.00 dB → –/);
    assert.match(stdout, /observer +min-max → mse/);
    assert.match(stdout, /1 layer the same/);
    assert.ok(!/ same +Conv/.test(stdout));
    assert.match((await cli(['compare', 'first.json', 'second.json', '--all'])).stdout, / same +Conv/);
    const json = document(await cli(['compare', 'first.json', 'second.json', '--json']));
    const layers = json['layers'] as { name: string; change: string; local: { b: unknown } }[];
    assert.deepEqual(
      layers.map(({ name, change }) => [name, change]),
      [
        ['same', 'none'],
        ['changed', 'error'],
        ['new', 'added'],
        ['gone', 'removed'],
      ],
    );
    assert.equal(layers[1]?.local.b, 'exact');
    for (const files of [['first.json'], ['first.json', 'second.json', 'first.json']]) {
      assert.match((await cli(['compare', ...files])).stderr, /needs two reports/);
    }
  });
});

describe('evaluate and benchmark', () => {
  test('evaluate', async () => {
    const result = {
      ...{ model: path.join(cwd, 'net.onnx'), output: 'y', classes: 10, samples: 4, top1: 25, top5: 75 },
      ...{ milliseconds: 1.5, unlabelled: 2, missing: 1, skipped: [] },
    };
    const args = 'evaluate net.onnx --data d --labels l --preprocess unit'.split(' ');
    const { stdout, calls } = await cli(args, { evaluate: result });
    assert.deepEqual(calls[0]?.input, {
      model: 'net.onnx',
      data: ['d'],
      labels: 'l',
      preprocess: 'unit',
      baseDir: cwd,
    });
    assert.match(stdout, /top-1 +25\.0 %/);
    assert.match(stdout, /2 samples without a label/);
    assert.deepEqual(document(await cli([...args, '--json'], { evaluate: result })), result);
  });

  test('benchmark', async () => {
    const entry = { model: path.join(cwd, 'a.onnx'), bytes: 10, median: 1, mean: 1, p95: 2, min: 1, ratio: 1 };
    const entries = [entry, { ...entry, model: path.join(cwd, 'b.onnx'), median: 0.5, ratio: 2 }];
    const result = { threads: 1, warmup: 10, runs: 100, seed: 0, entries };
    const { stdout, calls } = await cli(['benchmark', 'a.onnx', 'b.onnx', '--runs', '100'], { benchmark: result });
    assert.deepEqual(calls[0]?.input, { models: ['a.onnx', 'b.onnx'], runs: 100, shapes: {}, baseDir: cwd });
    assert.match(stdout, /b\.onnx +500 µs +1\.00 ms +2\.00 ms +1\.00 ms +2\.00× +10 B/);
  });
});
