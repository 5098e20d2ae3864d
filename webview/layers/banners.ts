/** Between header and numbers: what runs, what failed, what is out of date. And what stands where no report is. */

import { plural, printable, printableLines } from '../../src/shared/format';
import { changeKey } from '../../src/shared/fixes';
import type { ErrorData } from '../../src/shared/errors';
import type { JobFacts, ViewState } from '../../src/shared/viewProtocol';
import { fill, h, type Child } from './dom';
import { actionButton, jobText, progressBar, type HeaderActions } from './header';
import type { AppState, AppStore } from './state';

const MOST_WARNINGS = 5;

interface BannerActions extends Pick<HeaderActions, 'act'> {
  /** Applies the fix with this key of those that the failure offers. */
  readonly repair: (key: string) => void;
}

export class Banners {
  readonly element = h('div', { class: 'banners' });
  /** Whether the warnings are unfolded, which they stay when they are drawn anew. */
  #unfolded = false;

  constructor(store: AppStore, actions: BannerActions) {
    const draw = ({ host, job, notice }: AppState): void => {
      const report = host?.content.kind === 'report' ? host.content.report : undefined;
      fill(
        this.element,
        ...(host === null || report === undefined ? [] : this.#of(host, job, report.warnings, actions)),
      );
      if (notice !== '') this.element.append(h('p', { class: 'banner', role: 'status', text: notice }));
    };
    store.on(['host', 'job', 'notice'], draw);
  }

  #of(
    { failure, stale, obstacle }: ViewState,
    job: JobFacts | null,
    warnings: readonly string[],
    actions: BannerActions,
  ): Child[] {
    if (job !== null) {
      return [
        h(
          'div',
          { class: 'banner job' },
          h('span', { class: 'grow', text: jobText(job) }),
          progressBar(job),
          actionButton('Cancel', 'cancel', actions),
        ),
      ];
    }
    return [
      failure === null
        ? null
        : h(
            'div',
            { class: 'banner failed', role: 'alert' },
            h(
              'span',
              { class: 'grow' },
              h('b', { class: 'lines', text: printableLines(failure.message) }),
              ` ${printable(failure.hint)}`,
            ),
            ...fixButtons(failure, actions),
            actionButton('Show log', 'showLog', actions),
          ),
      stale.length === 0
        ? null
        : h(
            'div',
            { class: 'banner stale', role: 'status' },
            h('span', { class: 'grow', text: `${stale.join(' ')} These numbers are of the run before that.` }),
            actionButton('Run again', 'run', actions, { obstacle }),
          ),
      warnings.length === 0 ? null : this.#warnings(warnings),
    ];
  }

  #warnings(warnings: readonly string[]): HTMLElement {
    const more = warnings.length - MOST_WARNINGS;
    const element = h(
      'details',
      { class: 'banner warnings' },
      h('summary', { text: plural(warnings.length, 'warning'), 'data-key': 'warnings' }),
      h(
        'ul',
        {},
        ...warnings.slice(0, MOST_WARNINGS).map((warning) => h('li', { text: printable(warning) })),
        more > 0 ? h('li', { text: `and ${more} more, in the report` }) : null,
      ),
    );
    element.open = this.#unfolded;
    element.addEventListener('toggle', () => {
      this.#unfolded = element.open;
    });
    return element;
  }
}

/** The whole page where there is no report: why, and what to do next. */
export class Placeholder {
  readonly element = h('main', { class: 'placeholder' });

  constructor(store: AppStore, actions: BannerActions) {
    store.on(['host', 'job', 'lost'], ({ host, job, lost }) => {
      fill(this.element, ...placeholder(host, job, lost, actions));
    });
    fill(this.element, h('p', { class: 'loading', role: 'status', text: 'Reading the report…' }));
  }
}

function placeholder(
  host: ViewState | null,
  job: JobFacts | null,
  lost: ErrorData | null,
  actions: BannerActions,
): Child[] {
  if (lost !== null) return failed('The layer view lost its connection', lost, actions);
  if (host === null) return [h('p', { class: 'loading', role: 'status', text: 'Reading the report…' })];
  const { obstacle, content, failure } = host;
  if (job !== null) {
    return [
      h('h2', { text: `${job.title} ${printable(host.title)}` }),
      h('p', { role: 'status', text: jobText(job) }),
      progressBar(job),
      h('p', { class: 'hint', text: 'The layers appear here when it is done. You can go on working meanwhile.' }),
      h('div', { class: 'actions' }, actionButton('Cancel', 'cancel', actions)),
    ];
  }
  if (content.kind === 'failed') return failed('The report cannot be read', content.error, actions);
  if (failure !== null) return failed(`${printable(host.title)} could not be quantized`, failure, actions);
  return [
    h('h2', { text: `${printable(host.title)} has not been quantized yet` }),
    h('p', {
      text: 'A run measures every layer on your own data: whether it really runs in int8, how much error that costs, and how long it takes.',
    }),
    h('div', { class: 'actions' }, actionButton('Quantize…', 'run', actions, { primary: true, obstacle })),
    obstacle === null
      ? h('p', { class: 'hint', text: 'The recipe is a file beside the model; the model itself is never changed.' })
      : obstacleElement(obstacle, actions),
  ];
}

function obstacleElement(obstacle: string, actions: BannerActions): HTMLElement {
  return h('p', { class: 'hint' }, `${obstacle} `, actionButton('Manage workspace trust', 'trust', actions));
}

/** What makes up for a failure: changes of the recipe, and the way out where none helps. */
function fixButtons({ code, fixes = [] }: ErrorData, actions: BannerActions): HTMLElement[] {
  const buttons = fixes.map(({ title, change }, index) =>
    h('button', {
      type: 'button',
      class: index === 0 ? 'button primary' : 'button',
      text: printable(title),
      'data-key': `repair-${index}`,
      onclick: () => {
        actions.repair(changeKey(change));
      },
    }),
  );
  if (code !== 'torch-untraceable') return buttons;
  return [...buttons, actionButton('Export to ONNX', 'exportOnnx', actions, { primary: buttons.length === 0 })];
}

function failed(title: string, error: ErrorData, actions: BannerActions): Child[] {
  const { message, hint, code } = error;
  const buttons = fixButtons(error, actions);
  return [
    h('h2', { class: 'failed', text: title }),
    h('p', { class: 'lines', role: 'alert', text: printableLines(message) }),
    h('p', { text: printable(hint) }),
    h(
      'div',
      { class: 'actions' },
      ...buttons,
      actionButton('Try again', 'retry', actions, { primary: buttons.length === 0 }),
      actionButton('Show log', 'showLog', actions),
    ),
    h('p', { class: 'hint code', text: code }),
  ];
}
