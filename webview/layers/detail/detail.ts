/** Everything about one layer: what it is, what it costs, why, and what can be done. */

import { count, number3, percent, plural, printable, speedChange } from '../../../src/shared/format';
import { REASONS } from '../../../src/shared/reasons';
import type { LayerFacts, LayerMeasurements, SourceKind } from '../../../src/shared/viewFacts';
import type { ViewAction, ViewState } from '../../../src/shared/viewProtocol';
import { fill, h, type Child } from '../dom';
import { busyReason } from '../header';
import { isProblem, type Layers } from '../layers';
import { changeOf } from '../order';
import { shownLayer, type Asked, type AppState, type AppStore } from '../state';
import { tone } from '../tableColumns';
import { changeDB, errorText, STATUS_SIGNS, time } from '../text';
import { blameSection } from './blame';
import { fixesSection, type FixActions } from './fixes';
import { histogram } from './histogram';
import { placesElement } from './places';
import { tensorTable } from './tensors';
import { channelText, weightRanges } from './weights';
import { wholeModel, type WholeContext } from './whole';
import { decibelsText } from '../../../src/shared/measured';

export interface DetailActions extends FixActions {
  readonly pin: (layer: number | null) => void;
  readonly act: (action: ViewAction) => void;
  readonly openSample: (layer: number | null, cause: number) => void;
  readonly openSource: (layer: number, kind: SourceKind) => void;
}

const NARROWEST = 280;

export class Detail {
  readonly element = h('section', { class: 'detail', tabindex: -1, 'aria-label': 'Layer' });
  readonly #store: AppStore;
  readonly #actions: DetailActions;
  #width = 0;
  #shown: number | null = null;

  constructor(store: AppStore, actions: DetailActions) {
    this.#store = store;
    this.#actions = actions;
    store.on(['layers', 'pinned', 'cursor', 'facts', 'measurements', 'logCounts', 'role', 'host'], () => {
      this.#draw();
    });
    new ResizeObserver(() => {
      const width = this.#room();
      if (width === this.#width) return;
      this.#draw();
    }).observe(this.element);
  }

  focus(): void {
    this.element.querySelector<HTMLElement>('button, a, input')?.focus();
  }

  #room(): number {
    return Math.max(NARROWEST, this.element.clientWidth - 32);
  }

  #draw(): void {
    const { state } = this.#store;
    const { layers, host } = state;
    if (layers === null || host === null) return;
    this.#width = this.#room();
    const layer = shownLayer(state);
    // Another layer starts at its top.
    if (layer !== this.#shown) this.element.scrollTop = 0;
    this.#shown = layer;
    const context = this.#context(host, layer);
    const report = host.content.kind === 'report' ? host.content.report : undefined;
    if (layer !== null) fill(this.element, ...this.#of(state, layers, layer, context));
    else if (report !== undefined) {
      fill(this.element, ...wholeModel(report, layers, host.threshold, this.#width, context));
    }
  }

  #context(host: ViewState, layer: number | null): WholeContext {
    const { fix, price, stopPrices, pin, act, openSample } = this.#actions;
    return {
      actions: { fix, price, stopPrices },
      obstacle: host.obstacle,
      busy: busyReason(host),
      trying: host.trying,
      asks: host.content.kind === 'report' && host.content.report.asks,
      pin,
      findCulprits: () => act('findCulprits'),
      measure: () => act('explainSpeed'),
      openSample: (cause) => openSample(layer, cause),
    };
  }

  #of(state: AppState, layers: Layers, layer: number, context: WholeContext): Child[] {
    const { facts, measurements, pinned } = state;
    const isPinned = pinned === layer;
    const status = layers.status[layer]!;
    const { symbol, word } = STATUS_SIGNS[status];
    return [
      h(
        'div',
        { class: 'detail-head' },
        h('h2', { text: printable(layers.name[layer]!), title: printable(layers.name[layer]!) }),
        isPinned
          ? null
          : h('button', {
              type: 'button',
              class: 'button quiet',
              text: 'Pin',
              'data-key': 'pin',
              title: 'Enter, or click the layer',
              onclick: () => {
                this.#actions.pin(layer);
              },
            }),
        h('button', {
          type: 'button',
          class: 'button quiet',
          text: 'Whole model',
          'data-key': 'whole',
          title: 'Esc',
          onclick: () => {
            this.#actions.pin(null);
          },
        }),
      ),
      h(
        'p',
        { class: 'kind' },
        h('span', { class: `sign ${status}`, text: symbol, 'aria-hidden': true }),
        ` ${word} · ${printable(layers.op[layer]!)}`,
        kernelText(layers, layer),
      ),
      ready(facts, (value) => placesElement(value, (kind) => this.#actions.openSource(layer, kind)), ''),
      this.#numbers(layers, layer, facts),
      reasonElement(layers, layer),
      ready(facts, ({ blame }) => (blame === null ? null : blameSection(blame, context.openSample)), ''),
      ready(facts, ({ fixes }) => fixesSection(fixes, layer, context), 'details'),
      ...this.#measured(measurements, state),
      ready(facts, (value) => tensorSection(value), ''),
    ];
  }

  #numbers(layers: Layers, layer: number, facts: Asked<LayerFacts> | null): HTMLElement {
    const threshold = this.#store.state.host?.threshold ?? 0;
    const known = facts?.state === 'ready' ? facts.value : undefined;
    const { int8, fp32 } = layers;
    const rank = layers.rank[layer]!;
    const decibel = (measure: 'local' | 'accumulated'): Child[] => {
      const change = changeOf(layers, measure, layer);
      return [
        h('b', {
          class: measure === 'local' && isProblem(layers, layer, threshold) ? 'problem' : '',
          text: errorText(layers, measure, layer),
        }),
        h('span', { class: `change ${tone(change)}`, text: ` ${changeDB(change)}` }),
      ];
    };
    const faster = fp32[layer]! / int8[layer]!;
    const rows: readonly (readonly [label: string, hint: string, value: readonly Child[]])[] = [
      ['Local SQNR', 'The layer alone in int8, fed with fp32.', decibel('local')],
      ['Accumulated', 'The int8 model against the fp32 model at the output of this layer.', decibel('accumulated')],
      ...(rank === -1
        ? []
        : [['Place', 'Among the layers in int8.', [`${rank + 1} of ${layers.ranked} worst`]] as const]),
      [
        'Time',
        'Of its kernels in one inference: fp32, then int8, and how many times as fast that is.',
        [
          `${time(fp32[layer]!)} → `,
          h('b', { text: time(int8[layer]!) }),
          Number.isFinite(faster)
            ? h('span', {
                class: `change ${faster >= 1 ? 'better' : 'worse'}`,
                text: `, ${speedChange(fp32[layer]!, int8[layer]!)}`,
              })
            : null,
        ],
      ],
      ...(layers.macs[layer] === 0
        ? []
        : [['Multiply-adds', 'Of one inference.', [count(layers.macs[layer]!)]] as const]),
      ...(known?.worst
        ? [['Worst sample', 'The sample with the lowest SQNR at this layer.', [worstText(known.worst)]] as const]
        : []),
      ...(known?.saturation
        ? [['Saturation', 'Share of products that the kernel clips.', [percent(100 * known.saturation)]] as const]
        : []),
    ];
    return h(
      'dl',
      { class: 'numbers' },
      ...rows.map(([label, hint, value]) => h('div', {}, h('dt', { text: label, title: hint }), h('dd', {}, ...value))),
    );
  }

  #measured(asked: Asked<LayerMeasurements> | null, state: AppState): Child[] {
    const value = asked?.state === 'ready' ? asked.value : undefined;
    if (value === undefined) {
      return [ready(asked, () => null, 'histograms')];
    }
    return [
      ...value.notes.map((note) => h('p', { class: 'hint', text: printable(note) })),
      this.#activations(value, state),
      ...value.weights.map((weight) =>
        h(
          'section',
          {},
          h(
            'h3',
            {},
            'Weights ',
            h('span', { class: 'muted', text: `range of each channel · ${channelText(weight)}` }),
          ),
          weightRanges(weight, this.#width),
        ),
      ),
    ];
  }

  #activations({ activations }: LayerMeasurements, { role, logCounts }: AppState): Child {
    const shown = activations.find((activation) => activation.role === role) ?? activations[0];
    if (shown === undefined) return null;
    const roles = (['input', 'output'] as const).filter((candidate) => activations.some((a) => a.role === candidate));
    const choose = roles.map((candidate) =>
      h('button', {
        type: 'button',
        class: 'chip',
        text: candidate,
        'data-key': `role-${candidate}`,
        'aria-pressed': candidate === shown.role,
        onclick: () => {
          this.#store.update({ role: candidate });
        },
      }),
    );
    const logarithmic = h('input', {
      type: 'checkbox',
      checked: logCounts,
      'data-key': 'log',
      onchange: () => {
        this.#store.update({ logCounts: logarithmic.checked });
      },
    });
    return h(
      'section',
      {},
      h(
        'div',
        { class: 'section-head' },
        h(
          'h3',
          {},
          'Activation ',
          h('span', { class: 'muted ellipsis', text: printable(shown.tensor), title: printable(shown.tensor) }),
        ),
        h('span', { class: 'chips', role: 'group', 'aria-label': 'Tensor' }, ...choose),
        h('label', {}, logarithmic, ' log counts'),
      ),
      histogram(shown, this.#width, logCounts),
      shown.grid === null ? null : h('p', { class: 'hint', text: gridText(shown.grid) }),
    );
  }
}

function gridText({ scale, zeroPoint, type }: { scale: number; zeroPoint: number; type: string }): string {
  return `value = ${number3(scale)} · (n − ${zeroPoint}), n of type ${type}`;
}

function worstText({ sample, sqnr }: NonNullable<LayerFacts['worst']>): string {
  return `${printable(sample)}, ${decibelsText(sqnr)}`;
}

function kernelText({ kernel }: Layers, layer: number): string {
  const name = kernel[layer] ?? null;
  return name === null ? ' · merged by the runtime into another kernel' : ` · runs as ${printable(name)}`;
}

function reasonElement({ reason }: Layers, layer: number): Child {
  const code = reason[layer] ?? null;
  if (code === null) return null;
  const { sentence, advice } = REASONS[code];
  return h('p', { class: 'reason' }, h('b', { text: sentence }), ` ${advice}`);
}

function tensorSection({ tensors, nodes }: LayerFacts): Child {
  return h(
    'section',
    // Wider than the pane, it scrolls.
    { tabindex: 0, 'aria-label': 'Tensors' },
    h('h3', {}, 'Tensors ', h('span', { class: 'muted', text: plural(nodes.length, 'node') })),
    tensorTable(tensors),
  );
}

/** What was asked for, or that it is on its way, or why it does not come. */
function ready<T>(asked: Asked<T> | null, show: (value: T) => Child, what: string): Child {
  if (asked === null) return null;
  if (asked.state === 'ready') return show(asked.value);
  if (what === '') return null;
  if (asked.state === 'loading') return h('p', { class: 'hint loading', text: `Reading ${what}…` });
  const { message, hint } = asked.error;
  return h('p', { class: 'hint', text: `${printable(message)} ${printable(hint)}` });
}
