import assert from 'node:assert/strict';
import * as path from 'node:path';
import { test } from 'node:test';
import { openSession } from './session';
import { MOST_THREADS } from './threads';

test('no session starts more threads than the machine bears', async () => {
  const model = path.join(__dirname, '../../../samples/shapes.onnx');
  await assert.rejects(openSession(model, { threads: MOST_THREADS + 1 }), { code: 'usage', message: /at most/ });
  await (await openSession(model, { threads: 2 })).close();
});
