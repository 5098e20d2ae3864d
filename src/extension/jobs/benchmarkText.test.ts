import * as assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Benchmark } from '../../shared/benchmark';
import { benchmarkPage, benchmarkSentence } from './benchmarkText';

const entry = (median: number, ratio: number) => ({
  ...{ model: '/w/net.onnx', bytes: 1_000_000, median, mean: median, p95: median, min: median, ratio },
});
const benchmark = (...entries: Benchmark['entries']): Benchmark => ({
  threads: 1,
  warmup: 10,
  runs: 100,
  seed: 0,
  entries,
});

test('one model is told by its time, two by their quotient', () => {
  const one = { names: ['net'], benchmark: benchmark(entry(4.2, 1)), accuracies: [] };
  assert.equal(benchmarkSentence('net', one), 'net: 4.20 ms an inference (median of 100 runs, 1 thread).');
  const two = { names: ['fp32', 'int8'], benchmark: benchmark(entry(4.2, 1), entry(2.1, 2)), accuracies: [] };
  assert.equal(benchmarkSentence('net', two), 'net: int8 takes 2.10 ms, 2.00× as fast as fp32 (4.20 ms).');
});

test('the page has a row for each model, as many cells in each, and names that are no markup', () => {
  const names = ['a|b.onnx', '<img src=x>.onnx'];
  const page = benchmarkPage('net', { names, benchmark: benchmark(entry(4.2, 1), entry(2.1, 2)), accuracies: [] });
  const rows = page.split('\n').filter((line) => line.startsWith('|'));
  assert.equal(rows.length, 4);
  const cells = rows.map((row) => row.replaceAll(/\\./g, '').split('|').length);
  assert.equal(new Set(cells).size, 1, rows.join('\n'));
  assert.ok(page.includes('\\<img'), page);
});
