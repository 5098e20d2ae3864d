/** Where the time of both models goes, and why int8 is not faster. */

import { microseconds, milliseconds, plural, printable } from '../../../src/shared/format';
import { speedVerdict, speedWords } from '../../../src/shared/speed';
import type { SlowCause } from '../../../src/shared/slowness';
import type { SlowFacts, SpeedFacts } from '../../../src/shared/viewFacts';
import { h, svg, type Child } from '../dom';
import { SPEED_TONES } from '../figures';
import type { Layers } from '../layers';
import { losses, SPEED_PARTS, speedParts, type Loss, type PartTimes, type SpeedPart } from '../speedParts';

export interface SpeedContext {
  readonly pin: (layer: number) => void;
  readonly measure: () => void;
  /** Why nothing can be measured now; `null` where it can. */
  readonly busy: string | null;
  readonly asks: boolean;
}

const PART_WORDS: Readonly<Record<SpeedPart, string>> = {
  faster: 'int8 layers',
  slower: 'int8 layers that are slower',
  float: 'float and fallback',
  conversions: 'conversions',
};

const CAUSE_WORDS: Readonly<Record<SlowCause, string>> = {
  conversions: 'Conversions',
  'unpacked-weights': 'Unpacked weights',
  'small-island': 'Small island',
  'slow-kernel': 'Slow kernel',
  'missing-isa': 'Missing instructions',
  threads: 'Threads',
};

const SHOWN_LOSSES = 5;
const LABEL = 40;
const TOTAL = 74;
const BAR = 18;
const ROW = 26;

export function speedSection(layers: Layers, speed: SpeedFacts, width: number, context: SpeedContext): Child {
  const parts = speedParts(layers, speed.conversions);
  if (parts === undefined) return null;
  const { busy, measure, asks } = context;
  const losing = losses(layers, SHOWN_LOSSES);
  return h(
    'section',
    { class: 'speed' },
    h(
      'div',
      { class: 'section-head' },
      h('h3', { text: 'Where the time goes' }),
      asks
        ? h('button', {
            type: 'button',
            class: 'button',
            text: speed.timings.length === 0 ? 'Explain speed' : 'Time again',
            'data-key': 'explain-speed',
            'data-action': 'explainSpeed',
            'aria-disabled': busy === null ? undefined : true,
            title: busy ?? 'Times both models in turn, on one thread and on all of them.',
            onclick: () => {
              if (busy === null) measure();
            },
          })
        : null,
    ),
    timingsElement(speed),
    barsElement(parts, width),
    h(
      'ul',
      { class: 'key' },
      ...SPEED_PARTS.filter((part) => parts[part].fp32 + parts[part].int8 > 0).map((part) =>
        h('li', {}, h('span', { class: `swatch ${part}`, 'aria-hidden': true }), PART_WORDS[part]),
      ),
    ),
    speed.findings.length === 0
      ? h('p', { class: 'hint', text: 'Nothing stands out.' })
      : h('ul', { class: 'reasons' }, ...speed.findings.map((finding) => reasonItem(finding, layers, context))),
    losing.length === 0 ? null : lossesElement(losing, layers, context),
  );
}

/** `1 thread: 147 → 173 µs, 1.18× slower · 2 threads: …` */
function timingsElement({ timings }: SpeedFacts): Child {
  if (timings.length === 0) return null;
  return h(
    'p',
    { class: 'timings' },
    ...timings.map((timing) =>
      h(
        'span',
        { title: 'Median of one inference, fp32 and int8 in turn.' },
        `${plural(timing.threads, 'thread')}: ${milliseconds(timing.fp32)} → `,
        h('b', { text: milliseconds(timing.int8) }),
        h('span', { class: `change ${SPEED_TONES[speedVerdict(timing)]}`, text: `, ${speedWords(timing)}` }),
      ),
    ),
  );
}

type Parts = Readonly<Record<SpeedPart, PartTimes>>;

/** Both models as bars of the same scale, divided by what their time goes to. */
function barsElement(parts: Parts, width: number): SVGSVGElement {
  const sides = ['fp32', 'int8'] as const;
  const totals = sides.map((side) => SPEED_PARTS.reduce((sum, part) => sum + parts[part][side], 0));
  const room = Math.max(60, width - LABEL - TOTAL);
  const most = Math.max(...totals);
  const root = svg('svg', {
    class: 'times',
    width,
    height: sides.length * ROW,
    viewBox: `0 0 ${width} ${sides.length * ROW}`,
    role: 'img',
    'aria-label': describe(parts),
  });
  sides.forEach((side, row) => {
    const top = row * ROW + (ROW - BAR) / 2;
    const text = (x: number, anchor: string, words: string): SVGTextElement => {
      const element = svg('text', { x, y: row * ROW + ROW / 2 + 4, 'text-anchor': anchor });
      element.textContent = words;
      return element;
    };
    let x = LABEL;
    root.append(text(LABEL - 8, 'end', side));
    for (const part of SPEED_PARTS) {
      const time = parts[part][side];
      const length = most === 0 ? 0 : (room * time) / most;
      if (length < 0.5) continue;
      const title = svg('title');
      title.textContent = `${PART_WORDS[part]}: ${microseconds(time)}`;
      root.append(svg('rect', { class: part, x, y: top, width: Math.max(0.5, length - 1), height: BAR }, title));
      x += length;
    }
    root.append(text(x + 6, 'start', microseconds(totals[row]!)));
  });
  return root;
}

function describe(parts: Parts): string {
  const side = (name: 'fp32' | 'int8'): string =>
    SPEED_PARTS.filter((part) => parts[part][name] > 0)
      .map((part) => `${PART_WORDS[part]} ${microseconds(parts[part][name])}`)
      .join(', ');
  return `Time of the kernels of one inference. fp32: ${side('fp32')}. int8: ${side('int8')}.`;
}

function layerLink(layer: number, layers: Layers, key: string, { pin }: SpeedContext): HTMLElement {
  return h('button', {
    type: 'button',
    class: 'button quiet ellipsis',
    text: printable(layers.name[layer] ?? ''),
    'data-key': key,
    onclick: () => {
      pin(layer);
    },
  });
}

function reasonItem(
  { cause, message, fix, layers: concerned, concerned: count }: SlowFacts,
  layers: Layers,
  context: SpeedContext,
): HTMLElement {
  const more = count - concerned.length;
  return h(
    'li',
    { 'data-cause': cause },
    h('b', { text: CAUSE_WORDS[cause] }),
    ` ${printable(message)} `,
    h('span', { class: 'hint', text: printable(fix) }),
    concerned.length === 0
      ? null
      : h(
          'span',
          { class: 'concerned' },
          ...concerned.map((layer) => layerLink(layer, layers, `slow-${cause}-${layer}`, context)),
          more > 0 ? h('span', { class: 'hint', text: `and ${more} more` }) : null,
        ),
  );
}

function lossesElement(losing: readonly Loss[], layers: Layers, context: SpeedContext): HTMLElement {
  const most = Math.max(...losing.map(({ fp32, int8 }) => int8 - fp32));
  return h(
    'div',
    {},
    h('p', { class: 'caption', text: 'Layers that lose most' }),
    h(
      'ol',
      { class: 'losses' },
      ...losing.map(({ layer, fp32, int8 }) => {
        const bar = h('span', { class: 'bar', 'aria-hidden': true });
        bar.style.width = `${(100 * (int8 - fp32)) / most}%`;
        return h(
          'li',
          {},
          layerLink(layer, layers, `loss-${layer}`, context),
          h('span', { class: 'track' }, bar),
          h('span', { class: 'number', text: `${microseconds(fp32)} → ${microseconds(int8)}` }),
        );
      }),
    ),
  );
}
