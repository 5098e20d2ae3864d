import * as assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import * as path from 'node:path';
import { test } from 'node:test';
import { factoriesOf } from './factories';

const names = (text: string): string[] => factoriesOf(text).map(({ name }) => name);

test('the sample offers its factory, then the network that needs no argument', () => {
  const text = readFileSync(path.resolve(__dirname, '../../../samples/torch/shapesnet.py'), 'utf8');
  const found = factoriesOf(text);
  assert.deepEqual(
    found.map(({ name, kind }) => [name, kind]),
    [
      ['build', 'function'],
      ['ShapesNet', 'class'],
    ],
  );
  const [build, network] = found;
  assert.match(text.split('\n')[build!.line - 1]!, /^def build/);
  assert.equal(network!.summary, 'float32 [n, 3, 48, 48] -> logits [n, 10].');
});

test('what needs an argument, returns nothing or belongs to training is no factory', () => {
  const text = `
import torch.nn as nn
def with_argument(width): return nn.Sequential(nn.Linear(width, 1))
def keyword_only(*, width): return nn.Sequential()
def without_return(): pass
def _private(): return nn.Sequential()
def main(): return 0
class Data: pass
class Wide(nn.Module):
    def __init__(self, width): super().__init__()
`;
  assert.deepEqual(names(text), []);
});

test('defaults, annotations, variable arguments and parameters over several lines need nothing', () => {
  const text = `
class Base(nn.Module):
    """Abstract."""
    def __init__(
        self,
        width: Dict[str, int] = {"a": 1, "b": 2},
        *args,
        depth: int = 3,
        **kwargs,
    ):
        super().__init__()

class Net(Base): pass

def make_net(
    size: tuple = (1, 2),  # a comment, with a comma and a (
    /,
    *,
    name="a, b)",
) -> nn.Module:
    net = Net()
    return net

def other(): return Net()
`;
  assert.deepEqual(names(text), ['other', 'Base', 'Net', 'make_net']);
});

test('what stands in strings and comments is no code', () => {
  const text = `'''
def in_string(): return nn.Sequential()
'''
# def in_comment(): return 1
TEXT = "class Fake(nn.Module): pass"
class Inner:
    def build(self=None): return 1
`;
  assert.deepEqual(names(text), []);
});

test('text that is no Python has no factories, and none is waited for', () => {
  for (const text of [
    '',
    'def',
    'def f(',
    'class A(',
    '"""',
    'def f(:\n  return ('.repeat(2_000),
    '('.repeat(100_000),
  ]) {
    assert.ok(factoriesOf(text).length >= 0);
  }
});
