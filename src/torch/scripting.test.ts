import assert from 'node:assert/strict';
import * as path from 'node:path';
import { test } from 'node:test';
import { runPython, torchPython } from '../../test/helpers/torch';

const WORKER = path.join(__dirname, 'worker');

for (const release of ['oldest', 'newest'] as const) {
  const { python, reason } = torchPython(release);
  test(`a list where a builtin was is a list, by the ${release} torch`, { skip: reason }, () => {
    const code = `
import torch
from torch.jit._builtins import _get_builtin_table
from scripting import scripted
module = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 1)).eval()
_get_builtin_table()[id(module[0]._reversed_padding_repeated_twice)] = "aten::relu"
x = torch.ones(1, 3, 2, 2)
try:
    torch.jit.script(module)
except RuntimeError as error:
    print("cannot be used as a value" in str(error), torch.equal(scripted(module)(x), module(x)))`;
    assert.equal(runPython(python, WORKER, '-B', '-c', code), 'True True');
  });
}
