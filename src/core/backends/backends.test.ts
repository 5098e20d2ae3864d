import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import * as path from 'node:path';
import { describe, test } from 'node:test';
import { BACKEND_IDS } from '../../shared/recipe';
import { REASONS } from '../../shared/reasons';
import { CONDITIONS } from '../plan/conditions';
import { backendOf, BACKENDS } from './backends';

interface TorchObserver {
  readonly type: string;
  readonly qmin: number;
  readonly qmax: number;
  readonly symmetric: boolean;
  readonly perChannel: boolean;
  readonly searchesLeastError: boolean;
}

interface TorchFixture {
  readonly torch: string;
  readonly qconfigs: Readonly<Record<string, { readonly activation: TorchObserver; readonly weight: TorchObserver }>>;
}

const FIXTURE = path.resolve(__dirname, '../../../test/fixtures/backends/torch.json');

describe('backends', () => {
  const { qconfigs } = JSON.parse(readFileSync(FIXTURE, 'utf8')) as TorchFixture;

  for (const [id, { activation, weight }] of Object.entries(qconfigs)) {
    test(`${id} is what PyTorch's default qconfig says`, () => {
      const backend = backendOf(id);
      const { type, qmin, qmax, symmetric } = activation;
      assert.deepEqual(backend.activations, { type, qmin, qmax, symmetric });
      assert.equal(backend.observer === 'mse', activation.searchesLeastError);
      assert.deepEqual(backend.weights, {
        type: weight.type,
        qmin: weight.qmin,
        qmax: weight.qmax,
        symmetric: weight.symmetric,
        granularity: weight.perChannel ? 'per-channel' : 'per-tensor',
      });
      assert.equal(backend.convention, 'torch');
    });
  }

  test('the fixture covers every backend of PyTorch', () => {
    const torch = BACKEND_IDS.filter((id) => BACKENDS[id].convention === 'torch');
    assert.deepEqual(torch.sort(), Object.keys(qconfigs).sort());
  });

  for (const id of BACKEND_IDS) {
    test(`${id} is consistent`, () => {
      const backend = backendOf(id);
      assert.equal(backend.id, id);
      assert.ok(backend.source.length > 20, 'it names its source');
      assert.ok(Object.hasOwn(REASONS, backend.otherwise));
      const both = backend.keepFloat.filter((op) => Object.hasOwn(backend.ops, op));
      assert.deepEqual(both, [], 'an operator is quantized or kept in float, not both');
      for (const range of [backend.activations, backend.weights]) {
        const limits = range.type.startsWith('u') ? [0, 255] : [-128, 127];
        assert.ok(range.qmin >= limits[0]! && range.qmax <= limits[1]! && range.qmin < range.qmax);
        assert.ok(range.qmin <= 0 && range.qmax > 0, 'zero is representable');
      }
      for (const [op, rule] of Object.entries(backend.ops)) {
        for (const condition of rule.conditions ?? []) assert.ok(Object.hasOwn(CONDITIONS, condition), op);
        assert.equal(rule.kind === 'compute', rule.weight !== undefined, `${op}: compute layers have weights`);
      }
    });
  }

  test('an unknown backend is refused, naming the known ones', () => {
    for (const id of ['tensorflow', 'toString', '__proto__', '']) {
      assert.throws(
        () => backendOf(id),
        (error: Error & { code?: string }) =>
          error.code === 'backend-unknown' && BACKEND_IDS.every((known) => error.message.includes(known)),
      );
    }
  });
});
