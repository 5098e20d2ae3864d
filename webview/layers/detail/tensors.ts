/** Every tensor of a layer with its range, scale and zero point. */

import { NOTHING, number3, printable, shape } from '../../../src/shared/format';
import type { TensorFacts } from '../../../src/shared/viewFacts';
import { h } from '../dom';

export function span([least, most]: readonly [number, number]): string {
  return least === most ? number3(least) : `${number3(least)} … ${number3(most)}`;
}

function range(value: { readonly min: number; readonly max: number } | null): string {
  return value === null ? NOTHING : span([value.min, value.max]);
}

const HEADS = ['Tensor', 'Shape', 'Type', 'Range', 'Scale', 'Zero point'] as const;

export function tensorTable(tensors: readonly TensorFacts[]): HTMLElement {
  const rows = tensors.map(({ name, role, shape: dims, quantization, range: chosen, observed }) => {
    const type = quantization === null ? 'float' : quantization.type;
    const channels = quantization === null || quantization.channels === 1 ? '' : ` × ${quantization.channels}`;
    return h(
      'tr',
      {},
      h('th', { scope: 'row', title: printable(name) }, role),
      h('td', { text: shape(dims) }),
      h('td', { text: `${type}${channels}`, title: channels === '' ? undefined : 'One scale for each channel.' }),
      h('td', { text: range(chosen ?? observed) }),
      h('td', { text: quantization === null ? NOTHING : span(quantization.scale) }),
      h('td', { text: quantization === null ? NOTHING : span(quantization.zeroPoint) }),
    );
  });
  return h(
    'table',
    { class: 'tensors' },
    h('thead', {}, h('tr', {}, ...HEADS.map((text) => h('th', { scope: 'col', text })))),
    h('tbody', {}, ...rows),
  );
}
