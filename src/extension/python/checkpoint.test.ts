import * as assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { test } from 'node:test';
import { torchPython } from '../../../test/helpers/torch';
import { checkpointKind, type CheckpointKind } from './checkpoint';

const kindOf = (bytes: Uint8Array): Promise<CheckpointKind> =>
  checkpointKind((offset, length) => Promise.resolve(bytes.subarray(offset, offset + length)), bytes.length);

test('the weights of the sample are weights', async () => {
  const bytes = readFileSync(path.resolve(__dirname, '../../../samples/torch/shapesnet.pth'));
  assert.equal(await kindOf(bytes), 'weights');
});

test('what is no archive, or half of one, is unknown', async () => {
  const whole = readFileSync(path.resolve(__dirname, '../../../samples/torch/shapesnet.pth'));
  const others = [new Uint8Array(), Buffer.from('PK'), Buffer.alloc(100_000), whole.subarray(0, whole.length / 2)];
  for (const bytes of others) assert.equal(await kindOf(bytes), 'unknown');
});

const { python, reason } = torchPython();

test('what torch itself writes is told apart', { skip: reason }, async () => {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'quantscope-checkpoint-'));
  try {
    const script = `
import torch
net = torch.nn.Sequential(torch.nn.Linear(2, 2))
torch.save(net, "module.pt")
torch.save(net.state_dict(), "weights.pt")
torch.save({"epoch": 1, "state_dict": net.state_dict()}, "checkpoint.pt")
torch.save(net.state_dict(), "old.pt", _use_new_zipfile_serialization=False)
torch.jit.save(torch.jit.script(net), "script.pt")`;
    execFileSync(python, ['-c', script], { cwd: folder });
    const kinds = {
      module: 'module',
      weights: 'weights',
      checkpoint: 'weights',
      old: 'unknown',
      script: 'torchscript',
    };
    for (const [name, kind] of Object.entries(kinds)) {
      assert.equal(await kindOf(readFileSync(path.join(folder, `${name}.pt`))), kind, name);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
