/** Where the error of a layer goes and comes from: verdict, contribution, what kind of error it is, and its causes. */

import { printable } from '../../../src/shared/format';
import { ERROR_SOURCES, VERDICT_SYMBOLS, type ErrorSplit, type Verdict } from '../../../src/shared/verdicts';
import type { BlameFacts, CauseFacts } from '../../../src/shared/viewFacts';
import { h, type Child } from '../dom';
import { sampleName, shareText, SOURCE_HINTS, SOURCE_WORDS, VERDICT_HINTS } from '../verdicts';
import { decibelsText } from '../../../src/shared/measured';

/** @param cause by its position among those of the layer or of the model */
export type OpenSample = (cause: number) => void;

/** Shape, colour and word. */
export function verdictBadge(verdict: Verdict): HTMLElement {
  return h(
    'span',
    { class: 'verdict', title: VERDICT_HINTS[verdict] },
    h('span', { class: `sign ${verdict}`, text: VERDICT_SYMBOLS[verdict], 'aria-hidden': true }),
    ` ${verdict}`,
  );
}

export function blameSection(
  { verdict, why, share, only, without, split, causes }: BlameFacts,
  open: OpenSample,
): Child {
  const rows: readonly (readonly [label: string, hint: string, value: string])[] = [
    ['Share of the error', 'Of the error powers at the outputs, each layer alone in int8.', shareText(share)],
    ['Only it in int8', 'SQNR at the outputs of the model.', decibelsText(only)],
    ['Only it in float', 'SQNR at the outputs of the model.', decibelsText(without)],
  ];
  return h(
    'section',
    { class: 'blame' },
    h('div', { class: 'section-head' }, h('h3', {}, verdictBadge(verdict))),
    h('p', { text: printable(why) }),
    h(
      'dl',
      { class: 'numbers' },
      ...rows.map(([label, hint, value]) =>
        h('div', {}, h('dt', { text: label, title: hint }), h('dd', {}, h('b', { text: value }))),
      ),
    ),
    split === null ? null : splitElement(split),
    causesElement(causes, open),
  );
}

/** What a share of the error below this is, nobody needs to know. */
const WORTH = 0.005;

/** One bar, divided by what makes the error of the layer itself, the largest part first. */
function splitElement({ shares }: ErrorSplit): HTMLElement {
  const parts = ERROR_SOURCES.map((source) => ({ source, share: shares[source] }))
    .filter(({ share }) => Math.abs(share) >= WORTH)
    .toSorted((a, b) => b.share - a.share);
  const makes = parts.filter(({ share }) => share > 0);
  const whole = makes.reduce((sum, { share }) => sum + share, 0);
  const bar = h('div', { class: 'split', role: 'img', 'aria-label': `Its own error: ${splitText(parts)}` });
  for (const { source, share } of makes) {
    const part = h('span', { class: `part ${source}`, title: `${SOURCE_WORDS[source]}: ${shareText(100 * share)}` });
    part.style.flexGrow = String(share / whole);
    bar.append(part);
  }
  return h(
    'div',
    {},
    h('p', { class: 'caption', text: 'Its own error, by what makes it' }),
    bar,
    h(
      'ul',
      { class: 'key' },
      ...parts.map(({ source, share }) =>
        h(
          'li',
          { title: SOURCE_HINTS[source] },
          h('span', { class: `swatch ${source}`, 'aria-hidden': true }),
          `${SOURCE_WORDS[source]} `,
          h('b', { text: share < 0 ? `takes back ${shareText(-100 * share)}` : shareText(100 * share) }),
        ),
      ),
    ),
  );
}

function splitText(parts: readonly { readonly source: keyof typeof SOURCE_WORDS; readonly share: number }[]): string {
  return parts.map(({ source, share }) => `${SOURCE_WORDS[source]} ${(100 * share).toFixed(0)} %`).join(', ');
}

export function causesElement(causes: readonly CauseFacts[], open: OpenSample): Child {
  if (causes.length === 0) return null;
  return h(
    'ul',
    { class: 'causes', 'aria-label': 'Causes' },
    ...causes.map(({ kind, sentence, sample }, index) =>
      h(
        'li',
        { 'data-cause': kind },
        h('span', { text: printable(sentence) }),
        sample === null
          ? null
          : h('button', {
              type: 'button',
              class: 'button quiet',
              text: `Open ${sampleName(sample)}`,
              title: printable(sample),
              'data-key': `sample-${index}`,
              onclick: () => {
                open(index);
              },
            }),
      ),
    ),
  );
}
