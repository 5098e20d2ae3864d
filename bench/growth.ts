/**
 * `npm run build && npx tsx bench/growth.ts [LAYERS…] [--keep FOLDER]`: what the whole command takes of a chain of
 * layers, stage by stage, beside one opening of its int8 model by the runtime, and with which power of the number of
 * layers each grows. Prints Markdown. The sessions that were opened are counted, which a busy machine does not change.
 */

import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import * as path from 'node:path';
import { parseArgs } from 'node:util';
import { chain } from '../src/core/convert/fixtures/chain';
import { serializeModel } from '../src/core/onnx/model';
import { openSession } from '../src/core/runtime/session';
import type { Report } from '../src/shared/report';

const CLI = path.resolve(__dirname, '../dist/cli.js');
const TELLS_SESSIONS = path.resolve(__dirname, 'tellSessions.cjs');
const LAYERS = [250, 500, 1000, 2000, 3000];
const SPEC = { channels: 8, side: 16 };
const SAMPLES = 4;

interface Measured {
  readonly layers: number;
  /** Seconds by what took them. */
  readonly seconds: ReadonlyMap<string, number>;
  readonly sessions: number;
  /** Those in which the runtime optimized a graph. */
  readonly optimized: number;
}

async function measure(layers: number, folder: string): Promise<Measured> {
  const own = path.join(folder, `${layers}`);
  mkdirSync(own, { recursive: true });
  writeFileSync(path.join(own, 'chain.onnx'), serializeModel(chain(layers, SPEC)));
  const started = performance.now();
  const sessionsFile = path.join(own, 'sessions.txt');
  rmSync(sessionsFile, { force: true });
  const run = spawnSync(
    process.execPath,
    [CLI, 'quantize', 'chain.onnx', '--data', 'synthetic', '--samples', `${SAMPLES}`, '--json'],
    {
      cwd: own,
      encoding: 'utf8',
      maxBuffer: 2 ** 30,
      env: { ...process.env, NODE_OPTIONS: `--require ${TELLS_SESSIONS}`, SESSIONS_FILE: sessionsFile },
    },
  );
  const whole = (performance.now() - started) / 1000;
  if (run.status !== 0) throw new Error(`exit ${run.status}: ${run.stderr.slice(-2000)}`);
  const report = JSON.parse(readFileSync(path.join(own, 'chain.quant', 'report.json'), 'utf8')) as Report;
  const opened = performance.now();
  await (await openSession(path.join(own, 'chain.quant', 'chain.int8.onnx'), { threads: 1 })).close();
  const opening = (performance.now() - opened) / 1000;
  const sessions = readFileSync(sessionsFile, 'utf8')
    .trim()
    .split('\n')
    .map((line) => line.split(' '));
  return {
    layers,
    sessions: sessions.length,
    optimized: sessions.filter(([level]) => level !== 'disabled').length,
    seconds: new Map([['whole command', whole], ['one opening', opening], ...Object.entries(report.seconds)]),
  };
}

/** Slope of log seconds over log layers, by least squares. */
function exponentOf(points: readonly (readonly [layers: number, seconds: number])[]): number {
  const logs = points.filter(([, y]) => y > 0).map(([x, y]) => [Math.log(x), Math.log(y)] as const);
  const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;
  const [cx, cy] = [mean(logs.map(([x]) => x)), mean(logs.map(([, y]) => y))];
  const over = logs.reduce((sum, [x, y]) => sum + (x - cx) * (y - cy), 0);
  return over / logs.reduce((sum, [x]) => sum + (x - cx) ** 2, 0);
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({ options: { keep: { type: 'string' } }, allowPositionals: true });
  const sizes = positionals.length === 0 ? LAYERS : positionals.map(Number);
  const folder = values.keep ?? mkdtempSync(path.join(tmpdir(), 'quantscope-growth-'));
  const found: Measured[] = [];
  try {
    for (const layers of sizes) found.push(await measure(layers, folder));
  } finally {
    if (values.keep === undefined) rmSync(folder, { recursive: true, force: true });
  }
  const line = (cells: readonly (string | number)[]): void => {
    process.stdout.write(`| ${cells.join(' | ')} |\n`);
  };
  const fixed = (value: number | undefined): string => value?.toFixed(2) ?? '';
  process.stdout.write(`Load of the machine ${loadavg()[0]?.toFixed(1) ?? ''}; seconds.\n\n`);
  line(['', ...found.map(({ layers }) => `${layers} layers`), 'exponent']);
  line(['---', ...found.map(() => '---:'), '---:']);
  for (const what of found.at(-1)?.seconds.keys() ?? []) {
    const points = found.map(({ layers, seconds }) => [layers, seconds.get(what) ?? 0] as const);
    line([what, ...points.map(([, y]) => fixed(y)), fixed(exponentOf(points))]);
  }
  const openings = found.map(({ seconds }) => (seconds.get('whole command') ?? 0) / (seconds.get('one opening') ?? 1));
  line(['whole command ÷ one opening', ...openings.map(fixed), '']);
  line(['sessions opened', ...found.map(({ sessions }) => sessions), '']);
  line(['of them with a graph to optimize', ...found.map(({ optimized }) => optimized), '']);
}

void main();
