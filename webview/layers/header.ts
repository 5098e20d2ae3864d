/** What is shown, and what can be done about it. */

import { plural, printable, seconds } from '../../src/shared/format';
import type { ExportKind, JobFacts, ViewAction, ViewState } from '../../src/shared/viewProtocol';
import { fill, h, type Child } from './dom';
import type { AppStore } from './state';
import { age } from './text';

export interface HeaderActions {
  readonly act: (action: ViewAction) => void;
  readonly save: (kind: ExportKind) => void;
}

const EXPORTS: readonly (readonly [kind: ExportKind, label: string])[] = [
  ['svg', 'Chart as SVG…'],
  ['png', 'Chart as PNG…'],
  ['csv', 'Table as CSV…'],
];

const AGE_EVERY_MS = 30_000;

export function actionButton(
  label: string,
  action: ViewAction,
  { act }: Pick<HeaderActions, 'act'>,
  options: { readonly primary?: boolean; readonly obstacle?: string | null } = {},
): HTMLButtonElement {
  const { primary = false, obstacle = null } = options;
  return h('button', {
    type: 'button',
    class: primary ? 'button primary' : 'button',
    text: label,
    'data-key': `action-${action}`,
    // A disabled button would neither take the focus nor tell why.
    'aria-disabled': obstacle === null ? undefined : true,
    title: obstacle ?? undefined,
    onclick: () => {
      if (obstacle === null) act(action);
    },
  });
}

/** Why no job can be started now; `null` where one can. */
export function busyReason({ job, obstacle }: ViewState): string | null {
  return job === null ? obstacle : 'A job of this model is running.';
}

export class Header {
  readonly element = h('header', { class: 'header' });
  readonly #actions: HeaderActions;
  readonly #menu: HTMLElement;
  readonly #title = h('h1');
  readonly #meta = h('div', { class: 'meta' });
  readonly #buttons = h('div', { class: 'buttons' });
  readonly #doing: HTMLElement;
  readonly #age = h('span', { class: 'age' });

  constructor(store: AppStore, actions: HeaderActions) {
    this.#actions = actions;
    this.#menu = h('div', { class: 'menu', role: 'menu', hidden: true, id: 'export-menu', 'aria-label': 'Export' });
    // The menu stays on the page while the rest is drawn anew: taken off it for a moment, it would close.
    this.#doing = h('div', { class: 'actions' }, this.#buttons, this.#exportMenu());
    this.#doing.hidden = true;
    this.element.append(this.#title, this.#meta, this.#doing);
    store.on(['host'], ({ host }) => {
      this.#draw(host);
    });
    setInterval(() => {
      this.#tick();
    }, AGE_EVERY_MS);
  }

  #draw(host: ViewState | null): void {
    if (host === null) return;
    const { content } = host;
    const run = content.kind === 'report' ? content.report.run : undefined;
    this.#age.dataset['created'] = run?.created ?? '';
    this.#tick();
    const meta: Child[] =
      run === undefined
        ? []
        : [
            h('span', { text: run.backend }),
            ...(run.mode === 'static' ? [] : [h('span', { text: run.mode })]),
            ...(run.calibration === null
              ? []
              : [
                  h('span', { text: run.calibration.observer }),
                  run.calibration.synthetic
                    ? h('span', {
                        class: 'caution',
                        text: 'synthetic data',
                        title: 'Ranges and errors say little about real data.',
                      })
                    : h('span', { text: plural(run.calibration.samples, 'sample') }),
                ]),
            this.#age,
          ];
    const busy = busyReason(host);
    const asked = content.kind !== 'report' || content.report.culprits !== null || !content.report.asks;
    this.#title.textContent = printable(host.title);
    this.#title.title = printable(host.title);
    fill(this.#meta, ...meta);
    this.#doing.hidden = run === undefined;
    fill(
      this.#buttons,
      actionButton('Run again', 'run', this.#actions, { primary: true, obstacle: busy }),
      asked ? null : actionButton('Find culprits', 'findCulprits', this.#actions, { obstacle: busy }),
      actionButton('Benchmark', 'benchmark', this.#actions, { obstacle: busy }),
      actionButton('Open recipe', 'openRecipe', this.#actions),
    );
  }

  #tick(): void {
    const created = this.#age.dataset['created'] ?? '';
    if (created === '') return;
    const date = new Date(created);
    this.#age.textContent = age(date, new Date());
    this.#age.title = date.toLocaleString();
  }

  #exportMenu(): HTMLElement {
    const button = h('button', {
      type: 'button',
      class: 'button',
      text: 'Export ▾',
      'data-key': 'export',
      'aria-haspopup': 'menu',
      'aria-expanded': false,
      'aria-controls': 'export-menu',
      onclick: () => {
        show(this.#menu.hasAttribute('hidden'));
      },
    });
    const items = EXPORTS.map(([kind, label]) =>
      h('button', {
        type: 'button',
        role: 'menuitem',
        tabindex: -1,
        text: label,
        onclick: () => {
          show(false);
          this.#actions.save(kind);
        },
      }),
    );
    this.#menu.append(...items);
    const show = (open: boolean): void => {
      this.#menu.hidden = !open;
      button.setAttribute('aria-expanded', String(open));
      if (open) items[0]!.focus();
    };
    this.#menu.addEventListener('keydown', (event) => {
      const at = items.findIndex((item) => item === document.activeElement);
      const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
      if (step !== undefined) items[(at + step + items.length) % items.length]!.focus();
      else if (event.key === 'Escape' || event.key === 'Tab') {
        show(false);
        button.focus();
      } else return;
      event.preventDefault();
      event.stopPropagation();
    });
    const element = h('div', { class: 'export' }, button, this.#menu);
    element.addEventListener('focusout', ({ relatedTarget }) => {
      if (!(relatedTarget instanceof Node && element.contains(relatedTarget))) show(false);
    });
    return element;
  }
}

/** Where a job stands; `Calibrating, 40 of 100, 12 s left`. */
export function jobText({ title, stage, done, total, secondsLeft }: JobFacts): string {
  return [
    `${title}…`,
    ...(stage === null ? [] : [stage]),
    ...(total > 1 ? [`${done} of ${total}`] : []),
    ...(secondsLeft === null || secondsLeft < 1 ? [] : [`${seconds(secondsLeft)} left`]),
  ].join(' · ');
}

/** The bar of a job. */
export function progressBar(job: JobFacts): HTMLElement {
  const bar = h('div', { class: 'bar' });
  const known = job.total > 0;
  if (known) bar.style.width = `${(100 * Math.min(job.done, job.total)) / job.total}%`;
  return h(
    'div',
    {
      class: known ? 'progress' : 'progress unknown',
      role: 'progressbar',
      'aria-label': job.title,
      'aria-valuemin': 0,
      'aria-valuemax': 100,
      'aria-valuenow': known ? Math.round((100 * job.done) / job.total) : undefined,
    },
    bar,
  );
}
