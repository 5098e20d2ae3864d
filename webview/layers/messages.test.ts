import * as assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import { QuantscopeError } from '../../src/shared/errors';
import {
  answerView,
  TIMEOUT_MS,
  type ToView,
  type ViewHandlers,
  type ViewRequest,
} from '../../src/shared/viewProtocol';
import { Connection } from './messages';

function connection() {
  const posted: ViewRequest[] = [];
  const selected: (string | null)[] = [];
  const made = new Connection((message) => posted.push(message), {
    state: () => undefined,
    job: () => undefined,
    select: (name) => selected.push(name),
  });
  return { made, posted, selected };
}

test('each request gets its own answer, in whatever order they come', async () => {
  const { made, posted } = connection();
  const first = made.request('rows', { report: 'r', start: 0 });
  const second = made.request('openSample', { report: 'r', layer: null, cause: 2 });
  const [a, b] = posted;
  made.receive({ type: 'reply', id: b!.id, result: null });
  made.receive({ type: 'reply', id: a!.id, result: { start: 0 } });
  assert.equal(await second, null);
  assert.deepEqual(await first, { start: 0 });
  // Another answer to the same question is none.
  made.receive({ type: 'reply', id: a!.id, result: 'again' });
});

test('an error of the host is thrown as what it is', async () => {
  const { made, posted } = connection();
  const asked = made.request('price', { report: 'r', layer: 3 });
  const error = new QuantscopeError('data-invalid', 'The model has changed since this run.').toData();
  made.receive({ type: 'error', id: posted[0]!.id, error });
  await assert.rejects(asked, { code: 'data-invalid', message: error.message });
});

test('silence ends with an error, but not where a person or the engine takes its time', async () => {
  mock.timers.enable({ apis: ['setTimeout'] });
  try {
    const { made } = connection();
    const asked = made.request('state', {});
    let answered = false;
    void made.request('act', { action: 'findCulprits' }).finally(() => (answered = true));
    const thrown = assert.rejects(asked, { code: 'engine-crashed' });
    mock.timers.tick(TIMEOUT_MS.state);
    await thrown;
    mock.timers.tick(1e9);
    assert.equal(answered, false);
  } finally {
    mock.timers.reset();
  }
});

test('events reach their handlers; what is not of our host reaches nobody', () => {
  const { made, selected } = connection();
  made.receive({ type: 'event', event: 'select', data: 'conv1' });
  for (const stranger of [null, 7, 'x', {}, { type: 'event', event: 'gone' }, { type: 'reply' }])
    made.receive(stranger);
  assert.deepEqual(selected, ['conv1']);
});

test('the host answers every question once, also wrong ones', async () => {
  const handlers = { price: ({ layer }: { layer: number | null }) => layer } as unknown as ViewHandlers;
  const ask = (method: string, params: unknown): Promise<ToView | undefined> =>
    answerView({ type: 'request', id: 1, method, params }, handlers);
  assert.deepEqual(await ask('price', { report: 'r', layer: null }), { type: 'reply', id: 1, result: null });
  for (const params of [{ report: 'r' }, { report: 'r', layer: -1 }, { report: 3, layer: 0 }, null]) {
    assert.equal((await ask('price', params))?.type, 'error');
  }
  assert.equal((await ask('openSample', { report: 'r', layer: 0, cause: '../../etc/passwd' }))?.type, 'error');
  assert.equal((await ask('constructor', {}))?.type, 'error');
  assert.equal(await answerView({ type: 'reply', id: 1 }, handlers), undefined);
});
