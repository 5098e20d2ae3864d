/** The client against a real engine process with fake jobs. */

import assert from 'node:assert/strict';
import { constants, getPriority } from 'node:os';
import * as path from 'node:path';
import { afterEach, describe, test } from 'node:test';
import type { FakeResult } from '../../test/helpers/fakeEngine';
import { QuantscopeError } from '../shared/errors';
import type { Progress } from '../shared/progress';
import { EngineClient, type RequestOptions } from './client';

const ENTRY = path.join(__dirname, '../../test/helpers/fakeEngine.ts');
const EXEC_ARGV = ['--import', 'tsx'];

const clients: EngineClient[] = [];

function makeClient(options: Partial<ConstructorParameters<typeof EngineClient>[0]> = {}): EngineClient {
  const client = new EngineClient({ version: 'test', entry: ENTRY, execArgv: EXEC_ARGV, ...options });
  clients.push(client);
  return client;
}

afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.dispose()));
});

/** Runs a fake job. */
async function job(client: EngineClient, model: string, options: RequestOptions = {}): Promise<FakeResult> {
  return (await client.request('inspect', { model, baseDir: '/' }, options)) as unknown as FakeResult;
}

const withCode = (code: string, pattern = /./) => {
  return (error: unknown): boolean => {
    assert.ok(error instanceof QuantscopeError, String(error));
    assert.equal(error.code, code);
    assert.match(error.message, pattern);
    return true;
  };
};

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

async function untilDead(pid: number): Promise<void> {
  for (let i = 0; i < 200 && isAlive(pid); i++) await new Promise((resolve) => setTimeout(resolve, 25));
  assert.equal(isAlive(pid), false, `process ${pid} is still there`);
}

describe('requests', () => {
  test('starts the engine when it is needed, keeps it, and typed arrays arrive as they are', async () => {
    const client = makeClient();
    assert.equal(client.pid, undefined);
    const first = await job(client, 'quick');
    assert.equal(first.pid, client.pid);
    assert.ok(first.numbers instanceof Float32Array);
    assert.deepEqual([...first.numbers], [1.5, NaN, -0]);
    assert.deepEqual(first.big, BigInt64Array.of(2n ** 62n));
    assert.equal((await job(client, 'quick')).pid, first.pid);
  });

  test('an engine in the background gives way to other programs', async () => {
    const [ordinary, background] = [makeClient(), makeClient({ background: true })];
    const priority = async (client: EngineClient): Promise<number> => getPriority((await job(client, 'quick')).pid);
    assert.equal(await priority(ordinary), getPriority());
    assert.equal(await priority(background), constants.priority.PRIORITY_LOW);
  });

  test('two jobs at once run one after the other, in order', async () => {
    const client = makeClient();
    const order: string[] = [];
    const run = async (name: string, model: string): Promise<number> => {
      const { started } = await job(client, model);
      order.push(name);
      return started;
    };
    const started = await Promise.all([run('slow', 'sleep:150'), run('quick', 'quick'), run('last', 'quick')]);
    assert.deepEqual(order, ['slow', 'quick', 'last']);
    assert.deepEqual(started, [1, 2, 3]);
  });

  test('progress reaches its own job, log lines the log', async () => {
    const lines: string[] = [];
    const client = makeClient({ onLog: (_, line) => lines.push(line) });
    const [one, other]: Progress[][] = [[], []];
    await Promise.all([
      job(client, 'progress:3', { onProgress: (progress) => one?.push(progress) }),
      job(client, 'progress:2', { onProgress: (progress) => other?.push(progress) }),
    ]);
    await job(client, 'quick');
    assert.deepEqual(
      [one, other].map((list) => list?.map(({ done, total }) => `${done}/${total}`)),
      [
        ['1/3', '2/3', '3/3'],
        ['1/2', '2/2'],
      ],
    );
    assert.deepEqual(lines, ['half way', 'half way']);
  });

  test('errors keep code, message and hint; a fault of ours is internal', async () => {
    const client = makeClient();
    await assert.rejects(job(client, 'fail:No images'), (error: unknown) => {
      assert.ok(error instanceof QuantscopeError);
      assert.deepEqual(error.toData(), { code: 'data-empty', message: 'No images', hint: 'A hint of its own.' });
      return true;
    });
    await assert.rejects(job(client, 'bug:x is undefined'), withCode('internal', /x is undefined/));
    assert.ok((await job(client, 'quick')).pid > 0);
  });
});

describe('crash', () => {
  test('rejects the running job by name, runs the queued ones in a new engine', async () => {
    const client = makeClient();
    const { pid } = await job(client, 'quick');
    const crashing = job(client, 'kill:net.onnx');
    const behind = [job(client, 'quick'), job(client, 'quick')];
    await assert.rejects(crashing, withCode('engine-crashed', /SIGKILL.*while it ran inspect kill:net\.onnx/));
    const results = await Promise.all(behind);
    assert.deepEqual(
      results.map(({ started }) => started),
      [1, 2],
    );
    assert.notEqual(results[0]?.pid, pid);
    assert.equal(results[0]?.pid, results[1]?.pid);
  });

  test('killed from outside during a job; the next request restarts it', async () => {
    const client = makeClient();
    await job(client, 'quick');
    const running = job(client, 'block:60000');
    setTimeout(() => process.kill(client.pid ?? 0, 'SIGKILL'), 50);
    await assert.rejects(running, withCode('engine-crashed'));
    assert.equal(client.pid, undefined);
    assert.equal((await job(client, 'quick')).started, 1);
  });

  test('killed while idle, nobody is told and the next request restarts it', async () => {
    const client = makeClient();
    const { pid } = await job(client, 'quick');
    process.kill(pid, 'SIGKILL');
    await untilDead(pid);
    while (client.pid === pid) await new Promise((resolve) => setTimeout(resolve, 10));
    assert.notEqual((await job(client, 'quick')).pid, pid);
  });

  test('says what the engine printed last', async () => {
    const client = makeClient();
    await assert.rejects(job(client, 'throw:heap'), withCode('engine-crashed', /exit code 7: fatal: heap/));
  });

  test('an engine that cannot start rejects every job and is not tried for ever', async () => {
    const client = makeClient({ entry: path.join(__dirname, 'missing.ts') });
    const jobs = await Promise.allSettled([job(client, 'quick'), job(client, 'quick')]);
    for (const result of jobs) {
      assert.equal(result.status, 'rejected');
      withCode('engine-crashed', /did not start/)(result.reason);
    }
  });
});

describe('cancel', () => {
  /** Aborts a running job and measures how long its promise takes to settle. */
  async function cancelAfter(client: EngineClient, model: string, delay: number): Promise<number> {
    const controller = new AbortController();
    let aborted = 0;
    const running = job(client, model, { signal: controller.signal });
    setTimeout(() => {
      aborted = performance.now();
      controller.abort();
    }, delay);
    await assert.rejects(running, withCode('cancelled'));
    return performance.now() - aborted;
  }

  test('a job that blocks its thread is cancelled in time by ending the engine; the one behind it still runs', async () => {
    const client = makeClient();
    const { pid } = await job(client, 'quick');
    const cancelled = cancelAfter(client, 'block:60000', 100);
    const behind = job(client, 'quick');
    // The promise is 300 ms; the rest is what a busy machine may add to a timer.
    assert.ok((await cancelled) < 1000);
    assert.notEqual((await behind).pid, pid);
    await untilDead(pid);
  });

  test('a job that listens stops by itself, and the engine stays', async () => {
    const client = makeClient();
    const { pid } = await job(client, 'quick');
    await cancelAfter(client, 'obey', 50);
    assert.equal((await job(client, 'quick')).pid, pid);
  });

  test('a queued job is cancelled at once, and never runs', async () => {
    const client = makeClient();
    await job(client, 'quick');
    const first = job(client, 'block:600');
    await cancelAfter(client, 'kill:never', 20);
    assert.equal((await first).started, 2);
    assert.equal((await job(client, 'quick')).started, 3);
  });

  test('before the engine has started, and before the request', async () => {
    const client = makeClient();
    await cancelAfter(client, 'quick', 0);
    const result = job(client, 'quick', { signal: AbortSignal.abort() });
    await assert.rejects(result, withCode('cancelled'));
  });
});

describe('hello and good-bye', () => {
  test('another version is refused with protocol-mismatch', async () => {
    const client = makeClient({ version: 'other' });
    await assert.rejects(
      job(client, 'quick'),
      withCode('protocol-mismatch', /client is version other .* engine is version test/),
    );
  });

  test('another protocol is refused, and the engine is ended', async () => {
    process.env['FAKE_PROTOCOL'] = '99';
    try {
      const client = makeClient();
      const result = job(client, 'quick');
      const pid = client.pid ?? 0;
      await assert.rejects(result, withCode('protocol-mismatch', /protocol 99/));
      await untilDead(pid);
    } finally {
      delete process.env['FAKE_PROTOCOL'];
    }
  });

  test('dispose ends the engine, even a blocked one, and rejects what runs', async () => {
    const client = makeClient();
    const { pid } = await job(client, 'quick');
    const running = assert.rejects(job(client, 'block:60000'), withCode('cancelled'));
    await client.dispose();
    await running;
    await untilDead(pid);
    await assert.rejects(job(client, 'quick'), withCode('cancelled'));
  });
});
