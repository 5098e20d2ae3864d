/** What is searched, how far it is, and what can be done about it. */

import { plural, printable, seconds } from '../../src/shared/format';
import type { TuneAction, TuneStatus, TuneViewState } from '../../src/shared/tuneView';
import { goalText } from '../../src/shared/tuningText';
import { fill, h, type Child } from '../layers/dom';

export class Header {
  readonly element = h('header', { class: 'header' });
  readonly #title = h('h1');
  readonly #meta = h('div', { class: 'meta' });
  readonly #actions = h('div', { class: 'actions' });
  readonly #news = h('div', { class: 'news' });
  readonly #act: (action: TuneAction) => void;
  #status: TuneStatus | undefined;

  constructor(act: (action: TuneAction) => void) {
    this.#act = act;
  }

  update(host: TuneViewState | null): void {
    if (host === null) return;
    const { title, goal, status } = host;
    this.#title.textContent = `Tune ${printable(title)}`;
    fill(this.#meta, h('span', { text: `Goal: ${goalText(goal)}` }), ...facts(host));
    // Drawn anew with each report, a button would have no tooltip for long.
    if (status !== this.#status) fill(this.#actions, ...BUTTONS[status].map((button) => this.#button(button)));
    this.#status = status;
    fill(
      this.#news,
      status === 'running' ? progress(host) : null,
      host.failure === null
        ? null
        : h('p', { class: 'banner', role: 'alert', text: `${host.failure.message} ${host.failure.hint}` }),
    );
    if (!this.element.hasChildNodes()) this.element.append(this.#title, this.#meta, this.#actions, this.#news);
  }

  #button({ action, text, primary = false }: Button): HTMLElement {
    return h('button', {
      ...{ type: 'button', class: primary ? 'button primary' : 'button', 'data-key': `head-${action}`, text },
      onclick: () => {
        this.#act(action);
      },
    });
  }
}

interface Button {
  readonly action: TuneAction;
  readonly text: string;
  readonly primary?: boolean;
}

const ENDED: readonly Button[] = [
  { action: 'run', text: 'Run recipe' },
  { action: 'again', text: 'Tune again…' },
];
const BUTTONS: Readonly<Record<TuneStatus, readonly Button[]>> = {
  running: [{ action: 'cancel', text: 'Stop, keep the best' }],
  done: ENDED,
  stopped: ENDED,
  failed: [{ action: 'again', text: 'Tune again…' }],
};

const ENDS: Readonly<Record<Exclude<TuneStatus, 'running'>, string>> = {
  done: 'Search ended',
  stopped: 'Search stopped',
  failed: 'Search failed',
};

function facts({ tuning, status }: TuneViewState): Child[] {
  if (tuning === null) return [];
  return [
    h('span', { text: `${plural(tuning.points.length, 'recipe')} on ${plural(tuning.samples, 'sample')}` }),
    ...(status === 'running' ? [] : [h('span', { text: `${ENDS[status]} after ${seconds(tuning.seconds)}` })]),
  ];
}

function progress({ tuning, doing }: TuneViewState): HTMLElement {
  const [done, most] = [tuning?.points.length ?? 0, tuning?.trials ?? 0];
  const bar = h('progress', { 'aria-label': 'Recipes tried, of the most that are' });
  if (most > 0) {
    bar.max = most;
    bar.value = done;
  }
  return h('div', { class: 'progress' }, bar, h('span', { class: 'muted', text: printable(doing) }));
}
