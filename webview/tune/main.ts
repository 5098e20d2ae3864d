/** The chart of a tune: puts the parts on the page, and tells each what has changed. */

import { plural } from '../../src/shared/format';
import type { FromTuneView, ToTuneView, TuneAction, TuneViewState } from '../../src/shared/tuneView';
import { figuresText } from '../../src/shared/tuningText';
import { watchPresses } from '../common/press';
import { h } from '../layers/dom';
import { Chart } from './chart';
import { Detail } from './detail';
import { Figures } from './figures';
import { Header } from './header';
import { COSTS, measured, QUALITIES, type Measure, type MeasureKey } from './points';
import { sceneOf, type PageState, type Scene } from './state';
import { Table } from './table';

/** What is kept over tab switches and reloads: what the host has told, and what a person has chosen. */
type Kept = TuneViewState & { readonly page: Pick<PageState, 'picked' | 'x' | 'y'> };

interface Host {
  readonly postMessage: (message: FromTuneView) => void;
  readonly getState: () => unknown;
  readonly setState: (state: Kept) => void;
}
declare function acquireVsCodeApi(): Host;

const vscode = acquireVsCodeApi();
const kept = vscode.getState() as Partial<Kept> | undefined;
let state: PageState = { host: null, picked: null, x: null, y: null, ...kept?.page };

const act = (action: TuneAction): void => vscode.postMessage({ type: 'act', action });
const pick = (picked: number | null): void => change({ picked });

const header = new Header(act);
const figures = new Figures();
const chart = new Chart({
  pick,
  say: (text) => {
    live.textContent = text;
  },
});
const detail = new Detail({ act, write: (point) => vscode.postMessage({ type: 'write', point }) });
const table = new Table(pick);
const axes = h('div', { class: 'axes' });
const live = h('div', { class: 'invisible', role: 'status', 'aria-live': 'polite' });
const waiting = h('p', { class: 'waiting muted', text: 'The first recipe is being tried…' });
const content = h(
  'main',
  { class: 'content' },
  figures.element,
  h('div', { class: 'middle' }, h('section', { 'aria-label': 'Chart' }, axes, chart.element), detail.element),
  table.element,
);
document.body.append(header.element, waiting, content, live);

function change(next: Partial<PageState>): void {
  state = { ...state, ...next };
  const scene = sceneOf(state);
  const { host, picked, x, y } = state;
  header.update(host);
  content.hidden = scene === undefined;
  waiting.hidden = scene !== undefined || host?.status !== 'running';
  if (scene !== undefined) drawAxes(scene);
  for (const part of [figures, chart, detail, table]) part.update(scene);
  if (host !== null) vscode.setState({ ...host, page: { picked, x, y } });
}

/** Which measures the axes have; one alone is no choice. */
function drawAxes({ tuning, x, y }: Scene): void {
  const choice = (
    label: string,
    all: readonly Measure[],
    used: Measure,
    take: (key: MeasureKey) => void,
  ): HTMLElement => {
    const select = h('select', {
      'aria-label': `${label} axis`,
      onchange: () => {
        take(select.value as MeasureKey);
      },
    });
    for (const { key, label: name } of measured(all, tuning)) {
      select.append(h('option', { value: key, text: name }));
    }
    select.value = used.key;
    return h('label', {}, h('span', { class: 'muted', text: `${label}: ` }), select);
  };
  // Drawn anew only with other choices: a list that is open would close.
  const key = JSON.stringify([x.key, y.key, ...measured([...QUALITIES, ...COSTS], tuning).map((m) => m.key)]);
  if (axes.dataset['key'] === key) return;
  axes.dataset['key'] = key;
  axes.replaceChildren(
    choice('Up', QUALITIES, y, (up) => change({ y: up })),
    choice('Across', COSTS, x, (across) => change({ x: across })),
    h('span', { class: 'key muted' }, ...LEGEND),
  );
}

const LEGEND = [
  h('span', { text: '★ best' }),
  h('span', { text: '● holds the goal' }),
  h('span', { text: '○ misses it' }),
  h('span', { class: 'front', text: 'nothing beats these' }),
];

/** What is new, for those who do not see it. */
function announce(former: TuneViewState | null, host: TuneViewState): void {
  const { tuning, status } = host;
  if (tuning === null) return;
  if (former?.status === 'running' && status !== 'running') {
    const verdict = tuning.best.reached ? 'The best holds the goal' : 'Nothing holds the goal';
    live.textContent = `The search has ended after ${plural(tuning.points.length, 'recipe')}. ${verdict}: ${figuresText(tuning.best)}.`;
  }
}

function receive({ state: host }: ToTuneView): void {
  const former = state.host;
  // Another search begins: what was picked in the one before means nothing.
  const fresh = former !== null && host.tuning === null;
  change({ host, ...(fresh ? { picked: null } : {}) });
  announce(former, host);
}

const whenReleased = watchPresses();
addEventListener('message', ({ data }: MessageEvent<ToTuneView>) => {
  whenReleased(() => {
    receive(data);
  });
});
change({});
vscode.postMessage({ type: 'ready' });
