import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import * as path from 'node:path';
import { createInterface } from 'node:readline';
import { after, test } from 'node:test';

const CLIENT = path.join(__dirname, '../../test/helpers/blockedClient.ts');

let engine = 0;
const alive = (): boolean => {
  try {
    return process.kill(engine, 0);
  } catch {
    return false;
  }
};
after(() => {
  if (engine > 0 && alive()) process.kill(engine, 'SIGKILL');
});

test(
  'an engine that native code blocks ends with its client, even where that was killed',
  { timeout: 60_000 },
  async () => {
    const client = spawn(process.execPath, ['--import', 'tsx', CLIENT], { stdio: ['ignore', 'pipe', 'inherit'] });
    const [line] = (await once(createInterface(client.stdout), 'line')) as [string];
    engine = Number(line);
    assert.ok(engine > 0 && alive());
    client.kill('SIGKILL');
    while (alive()) await new Promise((resolve) => setTimeout(resolve, 50));
  },
);
