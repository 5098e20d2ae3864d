/** The layer view: puts the parts on the page and leads what they say to each other. */

import { QuantscopeError, toQuantscopeError } from '../../src/shared/errors';
import type { SourceKind } from '../../src/shared/viewFacts';
import type { ExportKind, ToView, ViewAction, ViewRequest } from '../../src/shared/viewProtocol';
import { watchPresses } from '../common/press';
import { Banners, Placeholder } from './banners';
import { Chart } from './chart/chart';
import { Overview } from './chart/overview';
import { panView, revealIn, wholeView, zoomView } from './chart/scale';
import { layersCsv } from './csv';
import { Detail } from './detail/detail';
import { h } from './dom';
import { Header } from './header';
import { keyCommand, move, type KeyCommand, type Place } from './keyboard';
import { Loader } from './loader';
import { Connection } from './messages';
import { arrange } from './order';
import { createStore, readKept, shownLayer, type Kept } from './state';
import { Summary } from './summary';
import { Table } from './table';
import { announcement } from './text';
import { onThemeChange } from './theme';
import { Toolbar } from './toolbar';

/** What the editor gives a webview. */
interface Host {
  readonly postMessage: (message: ViewRequest) => void;
  readonly getState: () => unknown;
  readonly setState: (state: Kept) => void;
}
declare function acquireVsCodeApi(): Host;

const NOTICE_MS = 6_000;
const SELECT_MS = 80;
const KEEP_MS = 200;

const vscode = acquireVsCodeApi();
const kept = readKept(vscode.getState());
const whenReleased = watchPresses();
const store = createStore(kept, (draw) => requestAnimationFrame(() => whenReleased(draw)));
const connection = new Connection((message) => vscode.postMessage(message), {
  state: (host) => void loader.take(host),
  job: (job) => {
    store.update({ job });
  },
  select: (name) => {
    const { layers } = store.state;
    if (layers === null) return;
    const layer = name === null ? -1 : layers.name.indexOf(name);
    store.update({ pinned: layer === -1 ? null : layer, cursor: null });
    if (layer !== -1) reveal(layer);
  },
});
const loader = new Loader(store, connection, kept.selected ?? null);

// --- What can be done -------------------------------------------------------------------------------------------------

let noticeTimer: ReturnType<typeof setTimeout> | undefined;

function notify(notice: string): void {
  clearTimeout(noticeTimer);
  store.update({ notice });
  noticeTimer = setTimeout(() => {
    store.update({ notice: '' });
  }, NOTICE_MS);
}

/** Failures of what a person has asked for are said, except for having been called off. */
function attempt(work: Promise<unknown>): void {
  work.catch((thrown: unknown) => {
    const { code, message, hint } = toQuantscopeError(thrown);
    if (code !== 'cancelled') notify(`${message} ${hint}`);
  });
}

let selectTimer: ReturnType<typeof setTimeout> | undefined;

/** `null` shows the model as a whole again. The other views follow once the choice has settled. */
function pin(layer: number | null): void {
  store.update({ pinned: layer, cursor: layer });
  clearTimeout(selectTimer);
  selectTimer = setTimeout(() => {
    const { report } = store.state;
    if (report !== null) attempt(connection.request('select', { report, layer }));
  }, SELECT_MS);
}

function preview(layer: number): void {
  store.update({ cursor: layer });
}

function act(action: ViewAction): void {
  attempt(connection.request('act', { action }));
}

function fix(layer: number | null, key: string): void {
  const { report } = store.state;
  if (report !== null) attempt(connection.request('fix', { report, layer, key }));
}

function repair(key: string): void {
  attempt(connection.request('repair', { key }));
}

function price(layer: number | null): void {
  const { report } = store.state;
  if (report !== null) attempt(connection.request('price', { report, layer }));
}

function openSample(layer: number | null, cause: number): void {
  const { report } = store.state;
  if (report !== null) attempt(connection.request('openSample', { report, layer, cause }));
}

function openSource(layer: number, kind: SourceKind): void {
  const { report } = store.state;
  if (report !== null) attempt(connection.request('source', { report, layer, kind }));
}

async function save(kind: ExportKind): Promise<void> {
  const { layers, order, host } = store.state;
  if (layers === null || host === null) return;
  const data = kind === 'csv' ? layersCsv(layers, order) : drawn(kind, host.title);
  if (await connection.request('save', { kind, data })) notify('Saved.');
}

function drawn(kind: 'svg' | 'png', title: string): string {
  const picture = chart.picture(`SQNR of the layers of ${title}`);
  if (kind === 'svg') return picture.svg;
  const data = picture.canvas().toDataURL('image/png').split(',')[1];
  if (data === undefined) throw new QuantscopeError('internal', 'The picture could not be made.');
  return data;
}

// --- The page ---------------------------------------------------------------------------------------------------------

const actions = {
  act,
  pin,
  preview,
  fix,
  repair,
  price,
  stopPrices: (): void => act('stopPrices'),
  openSample,
  openSource,
  save: (kind: ExportKind): void => attempt(save(kind)),
};
const header = new Header(store, actions);
const banners = new Banners(store, actions);
const summary = new Summary(store);
const chart = new Chart(store, actions);
const overview = new Overview(store);
const toolbar = new Toolbar(store);
const table = new Table(store, actions);
const detail = new Detail(store, actions);
const placeholder = new Placeholder(store, actions);
const live = h('div', { class: 'invisible', role: 'status', 'aria-live': 'polite' });

const content = h(
  'main',
  { class: 'content' },
  summary.element,
  h('section', { class: 'plot', 'aria-label': 'Chart' }, chart.element, overview.element),
  h(
    'div',
    { class: 'below' },
    h('section', { class: 'list', 'aria-label': 'Table' }, toolbar.element, table.element),
    detail.element,
  ),
);
content.hidden = true;
document.body.append(header.element, banners.element, content, placeholder.element, live);

store.on(['host', 'layers', 'lost'], ({ host, layers, lost }) => {
  const ready = lost === null && host?.content.kind === 'report' && layers !== null;
  content.hidden = !ready;
  placeholder.element.hidden = ready;
});
store.on(['announcement'], (state) => {
  live.textContent = state.announcement;
});

onThemeChange(() => {
  chart.recolour();
  overview.recolour();
});

// --- Keys -------------------------------------------------------------------------------------------------------------

function placeOf(target: EventTarget | null): Place {
  if (target === chart.target) return 'chart';
  if (target === table.target) return 'table';
  return target instanceof HTMLInputElement || target instanceof HTMLSelectElement ? 'text' : 'other';
}

function reveal(layer: number): void {
  const { zoom, layers } = store.state;
  if (zoom !== null && layers !== null) store.update({ zoom: revealIn(zoom, layer, layers.count) });
  table.reveal(layer);
}

/** Moves the preview; what is pinned moves along. */
function go(layer: number | null): void {
  const { layers, pinned } = store.state;
  if (layer === null || layers === null) return;
  if (pinned === null) preview(layer);
  else pin(layer);
  chart.hideTooltip();
  reveal(layer);
  store.update({ announcement: announcement(layers, layer) });
}

/** Leaves first what is innermost: the field that is typed into, then the layer, then the filter. */
function escape(place: Place): void {
  if (place === 'text' || shownLayer(store.state) === null) toolbar.clear();
  else pin(null);
  if (place === 'text') table.target.focus();
  chart.hideTooltip();
}

function run(command: KeyCommand, place: Place): void {
  const { layers, order, cursor, pinned, zoom } = store.state;
  if (layers === null) return;
  const current = cursor ?? pinned;
  const view = zoom ?? wholeView(layers.count);
  switch (command.do) {
    case 'step': {
      const graph = arrange(layers, store.state.filter, { key: 'graph', descending: false });
      go(move(graph, current, command.by));
      return;
    }
    case 'row':
      if (place === 'text') table.target.focus();
      go(move(order, current, command.by));
      return;
    case 'end':
      go((command.which === 'first' ? order[0] : order.at(-1)) ?? null);
      return;
    case 'open':
      if (current === null) return;
      if (pinned === current) detail.focus();
      else pin(current);
      return;
    case 'escape':
      escape(place);
      return;
    case 'search':
      toolbar.focus();
      return;
    case 'zoom':
      store.update({ zoom: zoomView(view, command.by, current ?? (view[0] + view[1]) / 2, layers.count) });
      return;
    case 'pan':
      store.update({ zoom: panView(view, command.by, layers.count) });
      return;
    case 'fit':
      store.update({ zoom: null });
      return;
  }
}

document.addEventListener('keydown', (event) => {
  const { key, shiftKey, ctrlKey, altKey, metaKey, target } = event;
  const place = placeOf(target);
  const command = keyCommand({ key, shift: shiftKey, modified: ctrlKey || altKey || metaKey }, place);
  if (command === undefined || event.defaultPrevented) return;
  event.preventDefault();
  run(command, place);
});

// --- What outlives the page -------------------------------------------------------------------------------------------

let keepTimer: ReturnType<typeof setTimeout> | undefined;

function keep(): void {
  clearTimeout(keepTimer);
  keepTimer = setTimeout(() => {
    const { host, layers, pinned, zoom, filter, sort, logCounts } = store.state;
    if (host === null) return;
    const selected = pinned === null ? null : (layers?.name[pinned] ?? null);
    vscode.setState({ source: host.source, selected, zoom, filter, sort, scroll: table.scroll, logCounts });
  }, KEEP_MS);
}
store.on(['host', 'layers', 'pinned', 'zoom', 'filter', 'sort', 'logCounts'], keep);
table.target.addEventListener('scroll', keep);

/** The first rows are where they were. */
let restored = false;
store.on(['layers'], ({ layers, pinned }) => {
  if (layers === null || restored) return;
  restored = true;
  if (kept.scroll !== undefined) table.scroll = kept.scroll;
  else if (pinned !== null) reveal(pinned);
});

addEventListener('message', ({ data }: MessageEvent<ToView>) => {
  whenReleased(() => {
    connection.receive(data);
  });
});
void loader.start();
