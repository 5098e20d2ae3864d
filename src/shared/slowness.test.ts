import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { LayerReport, Report } from './report';
import { explainSpeed, type SlowCause } from './slowness';

interface Sketch {
  readonly name: string;
  readonly reads: string;
  readonly writes: string;
  readonly int8: number;
  readonly fp32: number;
  readonly status?: LayerReport['status'];
}

function report(sketches: readonly Sketch[], more: Partial<Report> = {}): Report {
  const layers = sketches.map(({ name, reads, writes, int8, fp32, status = 'quantized' }) => ({
    ...{ name, op: 'Conv', kernel: 'QLinearConv', status, time: { int8, fp32 } },
    tensors: [
      { name: reads, role: 'input' },
      { name: writes, role: 'output' },
    ],
  }));
  const environment = { cpu: 'c', saturates: false };
  return { layers, environment, conversions: { int8: 0, fp32: 0 }, ...more } as unknown as Report;
}

const causes = (of: Report): SlowCause[] => explainSpeed(of).map(({ cause }) => cause);

const FAST: Sketch[] = [
  { name: 'a', reads: 'x', writes: 't1', int8: 10, fp32: 30 },
  { name: 'b', reads: 't1', writes: 't2', int8: 10, fp32: 30 },
];

describe('why int8 is slow', () => {
  test('a fast model without conversions has nothing that stands out', () => {
    assert.deepEqual(causes(report(FAST)), []);
    assert.deepEqual(causes(report([])), []);
  });

  test('conversions that take a share are named with their time', () => {
    const [finding] = explainSpeed(report(FAST, { conversions: { int8: 10, fp32: 2 } }));
    assert.equal(finding?.cause, 'conversions');
    assert.match(finding.message, /8\.00 µs .* 26\.7 %/);
  });

  test('an island between float layers that gains nothing is to go back to float, all of it', () => {
    const island: Sketch[] = [
      { name: 'f', reads: 't2', writes: 't3', int8: 20, fp32: 20, status: 'fallback' },
      { name: 'c', reads: 't3', writes: 't4', int8: 6, fp32: 5 },
      { name: 'd', reads: 't4', writes: 'y', int8: 5, fp32: 5 },
    ];
    const [finding, ...others] = explainSpeed(report([...FAST, ...island]));
    const upsideDown = explainSpeed(report([...FAST, ...island].reverse()));
    assert.deepEqual(upsideDown[0]?.layers, ['d', 'c'], 'layers hang together in whatever order they are listed');
    assert.deepEqual([finding?.cause, finding?.layers, others.length], ['small-island', ['c', 'd'], 0]);
    assert.deepEqual(
      finding?.changes.map(
        (change) => change.kind === 'override' && [change.override.select, change.override.quantize],
      ),
      [
        ['c', false],
        ['d', false],
      ],
    );
  });

  test('layers that hang together are one island, in whatever order the report has them', () => {
    const joined: Sketch[] = [
      ...FAST.toReversed(),
      { name: 'join', reads: 't2', writes: 'y', int8: 9, fp32: 8 },
      { name: 'other', reads: 'x', writes: 't1b', int8: 30, fp32: 31 },
    ];
    // `join` is slower than fp32, but part of the fast island.
    assert.deepEqual(causes(report(joined)).includes('small-island'), false);
  });

  test('one slow kernel among fast ones, the costliest first', () => {
    const slow: Sketch[] = [
      { name: 's1', reads: 't2', writes: 't3', int8: 30, fp32: 20 },
      { name: 's2', reads: 't3', writes: 'y', int8: 60, fp32: 20 },
    ];
    const found = explainSpeed(report([...FAST, ...slow]));
    assert.deepEqual(
      found.map(({ cause, layers }) => [cause, ...layers]),
      [
        ['slow-kernel', 's2'],
        ['slow-kernel', 's1'],
      ],
    );
  });

  test('a CPU without VNNI, and a gain that threads eat up', () => {
    const environment = { cpu: 'c', saturates: true } as Report['environment'];
    assert.deepEqual(causes(report(FAST, { environment })), ['missing-isa']);
    const speeds = (many: number, one = 3): SlowCause[] =>
      explainSpeed(report(FAST), [
        { threads: 1, ratio: one },
        { threads: 8, ratio: many },
      ]).map(({ cause }) => cause);
    assert.deepEqual([speeds(2.9), speeds(1.5), speeds(0.8, 0.9)], [[], ['threads'], []]);
  });
});

test('weight-only layers unpack their weights in every run, and are no islands', () => {
  const slow = FAST.map((sketch) => ({ ...sketch, int8: 2 * sketch.fp32 }));
  const [finding, ...others] = explainSpeed(report(slow, { mode: 'weight-only' }));
  assert.deepEqual([finding?.cause, finding?.layers.length, others], ['unpacked-weights', slow.length, []]);
  assert.match(finding!.message, /unpack their int8 weights to float in every run/);
  assert.deepEqual(causes(report(FAST, { mode: 'weight-only' })), []);
});
