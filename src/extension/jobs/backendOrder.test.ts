import * as assert from 'node:assert/strict';
import { test } from 'node:test';
import { BACKEND_IDS } from '../../shared/recipe';
import { backendsFor, torchBackendsFor } from './backendOrder';

for (const arch of ['x64', 'arm64', 'arm', 'riscv64']) {
  test(`every backend is offered once on ${arch}, the runtime's own first`, () => {
    const { here, elsewhere } = backendsFor(arch);
    assert.equal(here[0], 'ort-cpu');
    assert.deepEqual([...here, ...elsewhere].sort(), [...BACKEND_IDS].sort());
  });
}

test('what only runs on x86 is not offered first on ARM', () => {
  assert.ok(backendsFor('x64').here.includes('openvino'));
  assert.ok(!backendsFor('arm64').here.includes('openvino'));
});

test('of PyTorch the kernels of this CPU come first, and those that the build lacks are told apart', () => {
  assert.equal(torchBackendsFor('x64').here[0], 'fbgemm');
  assert.equal(torchBackendsFor('arm64').here[0], 'qnnpack');
  const { here, missing } = torchBackendsFor('x64', ['qnnpack', 'onednn']);
  assert.deepEqual(
    [here, missing],
    [
      ['onednn', 'qnnpack'],
      ['fbgemm', 'x86'],
    ],
  );
});
