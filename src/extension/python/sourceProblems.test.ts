import * as assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { Recipe } from '../../shared/recipe';
import type { LayerReport, Report } from '../../shared/report';
import { findLine, problemsByFile, problemsIn } from './sourceProblems';

const RECIPE: Recipe = { model: 'net.py:build', framework: 'torch' };
const SOURCE = [
  'class Net(nn.Module):',
  '    def __init__(self):',
  '        self.stem = nn.Conv2d(3, 8, 3)',
  '        self.act = nn.PReLU(8)',
  '        self.blocks = [nn.Conv2d(8, 8, 3) for _ in range(9)]',
  '    def forward(self, x):',
  '        return self.act(self.stem(x)) + 1',
];

function layer(name: string, op: string, sqnr: number, line: number, more: Partial<LayerReport> = {}): LayerReport {
  const error = { sqnr, cosine: 1, worst: { sample: 'a', sqnr } };
  return {
    ...{ name, op, fused: [], nodes: [name], scope: '', status: 'quantized', reason: null, kernel: null },
    ...{ time: { int8: null, fp32: null }, macs: 0, local: error, accumulated: error, saturation: null, tensors: [] },
    source: { built: { file: '/net.py', line, text: SOURCE[line - 1]!.trim() } },
    ...more,
  };
}

const LAYERS = [layer('stem', 'Conv2d', 40, 3), layer('act', 'PReLU', 2, 4), layer('blocks.0', 'Conv2d', 12, 5)];
const report = (layers: readonly LayerReport[]): Report => ({ recipe: RECIPE, layers }) as unknown as Report;
const LIMITS = { threshold: 20, maxFindings: 20 };

describe('layers of a report', () => {
  test('below the threshold stand in their file, the worst first', () => {
    const found = problemsByFile(report(LAYERS), RECIPE, LIMITS);
    assert.deepEqual([...found.keys()], ['/net.py']);
    assert.deepEqual(
      found.get('/net.py')?.map(({ name }) => name),
      ['act', 'blocks.0'],
    );
  });

  test('are no more than the setting allows', () => {
    const found = problemsByFile(report(LAYERS), RECIPE, { ...LIMITS, maxFindings: 1 });
    assert.deepEqual(
      found.get('/net.py')?.map(({ name }) => name),
      ['act'],
    );
  });

  test('that the recipe has been changed about are dealt with', () => {
    const openBy = (select: string): string[] => {
      const now: Recipe = { ...RECIPE, layers: [{ select, quantize: false }] };
      const layers = [...LAYERS, layer('tail.0.conv', 'Conv2d', 3, 5, { scope: 'tail/0' })];
      return (problemsByFile(report(layers), now, LIMITS).get('/net.py') ?? []).map(({ name }) => name);
    };
    assert.deepEqual(openBy('act'), ['tail.0.conv', 'blocks.0']);
    assert.deepEqual(openBy('op:PReLU'), ['tail.0.conv', 'blocks.0']);
    assert.deepEqual(openBy('scope:tail'), ['act', 'blocks.0']);
    assert.deepEqual(openBy('scope:ta'), ['act', 'tail.0.conv', 'blocks.0']);
    assert.deepEqual(openBy('blocks/0'), ['act', 'tail.0.conv']);
    assert.deepEqual(openBy('tail.**'), ['act', 'blocks.0']);
    assert.deepEqual(openBy('regex:^(act|tail)'), ['blocks.0']);
  });
});

describe('lines', () => {
  test('are marked at the class that is built, else as a whole', () => {
    const [act, blocks] = problemsIn(SOURCE, [LAYERS[1]!, LAYERS[2]!], 20);
    assert.equal(SOURCE[act!.line]!.slice(act!.start, act!.end), 'nn.PReLU');
    assert.equal(SOURCE[blocks!.line]!.slice(blocks!.start, blocks!.end), 'nn.Conv2d');
    const sum = layer('add', 'add', 5, 7, {
      source: { called: { file: '/net.py', line: 7, text: SOURCE[6]!.trim() } },
    });
    const [added] = problemsIn(SOURCE, [sum], 20);
    assert.equal(SOURCE[added!.line]!.slice(added!.start, added!.end), 'return self.act(self.stem(x)) + 1');
  });

  test('with many layers have one message, which names the worst in full', () => {
    const many = Array.from({ length: 9 }, (_, index) => layer(`blocks.${index}`, 'Conv2d', 10 + index / 10, 5));
    const found = problemsIn(SOURCE, many, 20);
    assert.equal(found.length, 1);
    assert.equal(found[0]!.layers.length, 9);
    assert.match(
      found[0]!.message,
      /^"blocks\.0" \(Conv2d\) has 10\.0 dB SQNR.*also: "blocks\.1" 10\.1 dB, .* and 4 more\.$/,
    );
  });

  test('are found again wherever lines were put in or taken out around them', () => {
    const other = fc.array(fc.constantFrom('', '    pass', '# note', 'import torch'), { maxLength: 30 });
    const property = fc.property(other, other, (before, after) => {
      const text = 'self.act = nn.PReLU(8)';
      const lines = [...before, `        ${text}`, ...after];
      assert.equal(findLine(lines, { file: '/net.py', line: 4, text }), before.length);
    });
    fc.assert(property);
  });

  test('that were rewritten say nothing any more', () => {
    const lines = SOURCE.map((line) => line.replace('nn.PReLU(8)', 'nn.ReLU()'));
    assert.deepEqual(problemsIn(lines, [LAYERS[1]!], 20), []);
  });

  test('of an older report, without their text, are taken by number as far as the file goes', () => {
    assert.equal(findLine(SOURCE, { file: '/net.py', line: 2 }), 1);
    assert.equal(findLine(SOURCE, { file: '/net.py', line: 99 }), undefined);
  });
});
