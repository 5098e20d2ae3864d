import * as assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { neighbours, type ListedLayer } from './layerList';
import { LayerNodes, NO_FILTER, PAGE, shortened, worstIn, type TreeNode } from './layerNodes';

function layer(name: string, more: Partial<ListedLayer> = {}): ListedLayer {
  const scope = name.slice(0, Math.max(0, name.lastIndexOf('/')));
  const unmeasured = {
    reason: null,
    kernel: null,
    local: undefined,
    localText: '',
    accumulatedText: '',
    place: undefined,
  };
  return { name, op: 'Conv', scope, status: 'quantized', ...unmeasured, tensors: [], ...more };
}

function layersBelow(nodes: LayerNodes, parent?: TreeNode): string[] {
  return nodes.children(parent).flatMap((node) => {
    if (node.kind === 'layer') return [node.layer.name];
    if (node.kind === 'more') {
      nodes.showMore(node);
      return [];
    }
    return layersBelow(nodes, node);
  });
}

const someLayers = fc
  .uniqueArray(
    fc.array(fc.constantFrom('a', 'b', 'c'), { minLength: 1, maxLength: 4 }).map((parts) => parts.join('/')),
    {
      maxLength: 40,
    },
  )
  .chain((names) =>
    fc.tuple(
      ...names.map((name) =>
        fc
          .option(fc.double({ min: 0, max: 60, noNaN: true }), { nil: undefined })
          .map((local) => layer(name, { local })),
      ),
    ),
  );

test('every layer stands in the tree once, below its own scope, which has a row where it holds several', () => {
  fc.assert(
    fc.property(someLayers, (layers) => {
      const nodes = new LayerNodes(layers, 'graph', NO_FILTER);
      assert.deepEqual(layersBelow(nodes).sort(), layers.map(({ name }) => name).sort());
      for (const { name } of layers) {
        const found = nodes.find(name)?.node;
        const path = [found?.label];
        for (let at = found?.parent; at !== undefined; at = at.parent) {
          path.unshift(at.label);
          assert.ok(at.children.length > 1, at.label);
        }
        assert.equal(path.join('/'), name);
      }
    }),
  );
});

test('worst first is sorted by error, with what was not measured at the end', () => {
  fc.assert(
    fc.property(someLayers, (layers) => {
      const order = layersBelow(new LayerNodes(layers, 'error', NO_FILTER));
      const errors = order.map((name) => layers.find((each) => each.name === name)?.local ?? Infinity);
      assert.deepEqual(
        errors,
        errors.toSorted((a, b) => a - b),
      );
    }),
  );
});

test('pages grow on demand, and until a layer that is looked for is on one', () => {
  const layers = Array.from({ length: 3 * PAGE }, (_, index) => layer(`scope/${index}`));
  const nodes = new LayerNodes(layers, 'graph', NO_FILTER);
  const [scope] = nodes.children();
  assert.equal(nodes.children(scope).length, PAGE + 1);
  const more = nodes.children(scope).at(-1);
  assert.ok(more?.kind === 'more' && more.left === 2 * PAGE);
  nodes.showMore(more);
  assert.equal(nodes.children(scope).length, 2 * PAGE + 1);
  assert.equal(nodes.find('scope/0')?.paged, false);
  assert.equal(nodes.find(`scope/${3 * PAGE - 1}`)?.paged, true);
  assert.ok(nodes.children(scope).some((node) => node.kind === 'layer' && node.layer === layers.at(-1)));
});

test('words and statuses filter together', () => {
  const layers = [layer('a/conv'), layer('b/conv', { status: 'float' }), layer('a/act', { op: 'Relu' })];
  const count = (text: string, statuses: readonly ListedLayer['status'][] = []): number =>
    new LayerNodes(layers, 'graph', { text, statuses }).count;
  assert.equal(count('CONV'), 2);
  assert.equal(count('conv b'), 1);
  assert.equal(count('relu'), 1);
  assert.equal(count('', ['float']), 1);
  assert.equal(count('a/', ['float']), 0);
});

test('a scope is as bad as its worst layer', () => {
  const layers = [layer('s/a', { local: 20 }), layer('s/t/b', { local: 12 }), layer('s/c')];
  const [scope] = new LayerNodes(layers, 'graph', NO_FILTER).children();
  assert.ok(scope?.kind === 'scope');
  assert.equal(worstIn(scope), 12);
});

test('neighbours are found by the tensors they share', () => {
  const tensor = (name: string, role: 'input' | 'output') => ({ name, role, shape: [] });
  const first = layer('first', { tensors: [tensor('x', 'input'), tensor('y', 'output')] });
  const second = layer('second', { tensors: [tensor('y', 'input'), tensor('z', 'output')] });
  const third = layer('third', { tensors: [tensor('y', 'input'), tensor('z', 'input')] });
  const all = [first, second, third];
  assert.deepEqual(neighbours(all, first, 'producer'), []);
  assert.deepEqual(neighbours(all, first, 'consumer'), [second, third]);
  assert.deepEqual(neighbours(all, third, 'producer'), [first, second]);
});

test('of a long name the end comes first, cut where a part of its path begins', () => {
  assert.deepEqual(shortened('/stage2/1/Add'), { label: '/stage2/1/Add', place: '' });
  assert.deepEqual(shortened('/stage2/0/depthwise/Conv'), { label: '…/depthwise/Conv', place: '/stage2/0' });
  assert.deepEqual(shortened('/a/a_very_long_module/Conv'), { label: '…/Conv', place: '/a/a_very_long_module' });
  assert.deepEqual(shortened('StatefulPartitionedCall'), { label: 'StatefulPartitionedCall', place: '' });
  assert.deepEqual(shortened('/StatefulPartitionedCall'), { label: '/StatefulPartitionedCall', place: '' });
});
