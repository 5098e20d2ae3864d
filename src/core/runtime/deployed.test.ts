import assert from 'node:assert/strict';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { quantize } from '../convert/fixtures/quantized';
import { buildRandom, graphSpecs, INPUT } from '../convert/fixtures/randomGraphs';
import { buildModel, node, random, randomTensor } from '../normalize/fixtures/models';
import type { OnnxModel } from '../onnx/model';
import { openDeployed, optimizedModel } from './deployed';
import { openSession, SESSIONS_OPENED, type Feeds, type Session, type SessionOpened } from './session';

/** Levels of the sessions that are opened meanwhile. */
async function levelsDuring(action: () => Promise<void>): Promise<string[]> {
  const levels: string[] = [];
  const listen = (event: unknown): void => {
    levels.push((event as SessionOpened).level);
  };
  subscribe(SESSIONS_OPENED, listen);
  try {
    await action();
  } finally {
    unsubscribe(SESSIONS_OPENED, listen);
  }
  return levels;
}

async function bitsOf(open: Promise<Session>, feeds: Feeds): Promise<Record<string, Buffer>> {
  const session = await open;
  try {
    const outputs = Object.entries(await session.run(feeds));
    return Object.fromEntries(
      outputs.map(([name, { data }]) => [name, Buffer.from(data.buffer, data.byteOffset, data.byteLength)]),
    );
  } finally {
    await session.close();
  }
}

describe('a deployed model', () => {
  test('computes bit by bit what a session of its own computes, in fp32 and in every quantized form', async () => {
    const forms = fc.constantFrom(
      {},
      { format: 'qoperator' },
      { mode: 'dynamic' },
      { mode: 'weight-only' },
    ) satisfies fc.Arbitrary<object>;
    const same = async (model: OnnxModel, feeds: Feeds): Promise<void> => {
      const alone = await bitsOf(openSession(model, { threads: 1 }), feeds);
      assert.deepEqual(await bitsOf(openDeployed(model, { threads: 1 }), feeds), alone);
    };
    await fc.assert(
      fc.asyncProperty(graphSpecs, forms, async (spec, settings) => {
        const feeds = { x: randomTensor('float32', INPUT, random(spec.seed), 2) };
        const { model, conversion } = await quantize(buildRandom(spec), [feeds], settings);
        await same(model, feeds);
        await same(conversion.model, feeds);
      }),
      { numRuns: 40 },
    );
  });

  test('is optimized once for each level, however often it is opened', async () => {
    const model = buildModel({ opset: 13, inputs: { x: [4] }, nodes: [node('Relu', ['x'], ['y'])], outputs: ['y'] });
    const levels = await levelsDuring(async () => {
      for (let i = 0; i < 3; i++) await (await openDeployed(model)).close();
      await optimizedModel(model, 'all');
      await optimizedModel(model, 'extended');
    });
    assert.deepEqual(levels, ['all', 'disabled', 'disabled', 'disabled', 'extended']);
  });

  test('that the runtime refuses is refused each time, in its words', async () => {
    const model = buildModel({ opset: 13, inputs: { x: [4] }, nodes: [node('Nothing', ['x'], ['y'])], outputs: ['y'] });
    for (let i = 0; i < 2; i++)
      await assert.rejects(openDeployed(model), { code: 'runtime-rejected', message: /Nothing/ });
  });
});
