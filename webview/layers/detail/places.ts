/** Where a layer stands in the user's Python, as links. */

import { printable } from '../../../src/shared/format';
import type { LayerFacts, SourceKind } from '../../../src/shared/viewFacts';
import { h, type Child } from '../dom';

const WORDS: Readonly<Record<SourceKind, string>> = { built: 'Built at ', called: 'Called at ' };

export function placesElement({ places }: LayerFacts, open: (kind: SourceKind) => void): Child {
  if (places.length === 0) return null;
  const links = places.map(({ kind, text }) =>
    h(
      'span',
      {},
      WORDS[kind],
      h('button', {
        type: 'button',
        class: 'place',
        text: printable(text),
        'data-key': `source-${kind}`,
        title: 'Go to Source',
        onclick: () => {
          open(kind);
        },
      }),
    ),
  );
  return h('p', { class: 'places' }, ...links);
}
