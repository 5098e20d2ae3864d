/** A client whose engine is deaf: it prints the engine's process id once a job blocks its thread. */

import * as path from 'node:path';
import { EngineClient } from '../../src/engine/client';

const entry = path.join(__dirname, 'fakeEngine.ts');
const client = new EngineClient({ version: 'test', entry });
void client.request('inspect', { model: 'quick', baseDir: '/' }).then(() => {
  void client.request('inspect', { model: 'block:600000', baseDir: '/' });
  setTimeout(() => process.stdout.write(`${client.pid ?? ''}\n`), 200);
});
