/** An engine with the real protocol and fake jobs: the name of the model says what a job does. */

import { createMessageConnection, IPCMessageReader, IPCMessageWriter } from 'vscode-jsonrpc/node';
import { QuantscopeError } from '../../src/shared/errors';
import { PROTOCOL_VERSION } from '../../src/shared/protocol';
import type { Benchmark } from '../../src/shared/benchmark';
import type { Inspection } from '../../src/shared/inspection';
import { endWithParent } from '../../src/engine/watchdog';
import { startEngine, type HandlerContext, type Handlers } from '../../src/engine/server';

let jobs = 0;

/** What a fake job answers with; typed arrays must arrive as they left. */
export interface FakeResult {
  readonly pid: number;
  /** Jobs that this engine has begun, this one included. */
  readonly started: number;
  readonly numbers: Float32Array;
  readonly big: BigInt64Array;
}

const BEHAVIOURS: Readonly<Record<string, (argument: string, context: HandlerContext) => Promise<void> | void>> = {
  quick: () => undefined,
  /** Blocks the thread like a native kernel, deaf to signals. */
  block: (milliseconds) => {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, Number(milliseconds));
  },
  sleep: (milliseconds) => new Promise((resolve) => setTimeout(resolve, Number(milliseconds))),
  /** Stops when it is told to. */
  obey: (_, { signal }) =>
    new Promise((_resolve, reject) => {
      signal.addEventListener('abort', () => {
        reject(new QuantscopeError('cancelled', 'The fake job stopped.'));
      });
    }),
  progress: (steps, { onProgress, log }) => {
    for (let done = 1; done <= Number(steps); done++) onProgress({ stage: 'calibrate', done, total: Number(steps) });
    log('half way');
  },
  fail: (message) => {
    throw new QuantscopeError('data-empty', message, { hint: 'A hint of its own.' });
  },
  bug: (message) => {
    throw new TypeError(message);
  },
  kill: () => {
    process.kill(process.pid, 'SIGKILL');
  },
  throw: (message) =>
    new Promise(() => {
      setTimeout(() => {
        process.stderr.write(`fatal: ${message}\n`, () => process.exit(7));
      }, 0);
    }),
};

async function act(model: string, context: HandlerContext): Promise<FakeResult> {
  const [name = '', argument = ''] = model.split(':');
  const started = ++jobs;
  await BEHAVIOURS[name]?.(argument, context);
  return { pid: process.pid, started, numbers: Float32Array.of(1.5, NaN, -0), big: BigInt64Array.of(2n ** 62n) };
}

/** The protocol's types promise real results; the tests know better. */
const fake = (model: string, context: HandlerContext): Promise<never> => act(model, context) as Promise<never>;

const handlers: Handlers = {
  inspect: ({ model }, context): Promise<Inspection> => fake(model, context),
  quantize: ({ recipe }, context) => fake(recipe.model, context),
  evaluate: ({ model }, context) => fake(model, context),
  details: ({ layer }, context) => fake(layer, context),
  culprits: ({ report }, context) => fake(report, context),
  prices: ({ report }, context) => fake(report, context),
  tune: ({ recipe }, context) => fake(recipe.model, context),
  exportOnnx: ({ recipe }, context) => fake(recipe.model, context),
  benchmark: ({ models }, context): Promise<Benchmark> => fake(models.join(), context),
};

const self = {
  protocol: Number(process.env['FAKE_PROTOCOL'] ?? PROTOCOL_VERSION),
  version: 'test',
  pid: process.pid,
  runtime: process.version,
};
process.on('disconnect', () => process.exit(0));
endWithParent();
startEngine(createMessageConnection(new IPCMessageReader(process), new IPCMessageWriter(process)), handlers, self, () =>
  process.exit(0),
);
