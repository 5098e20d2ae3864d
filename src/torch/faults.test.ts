import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { LayerReport } from '../shared/report';
import { faultWarnings } from './faults';
import { settingsOf, type Settings } from './settings';

const layer = (op: string, sqnr: number | null, status: LayerReport['status'] = 'quantized'): LayerReport =>
  ({
    name: `the ${op}`,
    op,
    status,
    local: { sqnr, cosine: 1, worst: { sample: 'a', sqnr } },
  }) as unknown as LayerReport;

const settings = (backend: 'fbgemm' | 'onednn' | 'qnnpack', weights?: { reduceRange: boolean }): Settings =>
  settingsOf({ framework: 'torch', model: 'net.py:build', backend, ...(weights === undefined ? {} : { weights }) });

test('a fault is named where it shows: its kernel, its engine, and an error that it explains', () => {
  const clamp = layer('ReLU6', -1.3);
  assert.match(
    faultWarnings([clamp], settings('qnnpack'), false)[0] ?? '',
    /channels_last.*op:ReLU6, quantize: false/u,
  );
  assert.deepEqual(faultWarnings([clamp], settings('fbgemm'), false), []);
  assert.deepEqual(faultWarnings([layer('ReLU6', 30)], settings('qnnpack'), false), []);
  assert.deepEqual(faultWarnings([layer('ReLU6', null)], settings('qnnpack'), false), []);
  assert.deepEqual(faultWarnings([layer('ReLU6', -1.3, 'float')], settings('qnnpack'), false), []);
  assert.match(faultWarnings([layer('PReLU', 1)], settings('fbgemm'), false)[0] ?? '', /slopes.*op:PReLU/u);
  const equalled = { ...layer('PReLU', 1), twin: 'LeakyReLU' };
  assert.match(faultWarnings([equalled], settings('fbgemm'), false)[0] ?? '', /slopes.*twins: \[the PReLU\]/u);
});

test('sums that overflow are told only of a CPU that was seen to do it, and of ranges that are not reduced', () => {
  const conv = layer('Conv2d', 13);
  assert.match(faultWarnings([conv], settings('onednn'), true)[0] ?? '', /VNNI.*backend: fbgemm/u);
  assert.deepEqual(faultWarnings([conv], settings('onednn'), false), []);
  assert.deepEqual(faultWarnings([conv], settings('onednn', { reduceRange: true }), true), []);
  assert.deepEqual(faultWarnings([conv], settings('fbgemm'), true), []);
  assert.deepEqual(faultWarnings([layer('ReLU6', 13)], settings('onednn'), true), []);
});
