/** One layer view: answers what its page asks, and tells it what changes. */

import * as vscode from 'vscode';
import type { Cause } from '../../shared/causes';
import { QuantscopeError, toQuantscopeError } from '../../shared/errors';
import { changeKey } from '../../shared/fixes';
import type { Report } from '../../shared/report';
import type { LayerFacts, LayerMeasurements, ReportFacts } from '../../shared/viewFacts';
import {
  answerView,
  type ExportKind,
  type JobFacts,
  type Obstacle,
  type ToView,
  type TryingFacts,
  type ViewAction,
  type ViewEvent,
  type ViewHandlers,
  type ViewSource,
  type ViewState,
} from '../../shared/viewProtocol';
import { folderOf, nameOf } from '../entries';
import { explainSpeedOf, findCulprits, measurePrices } from '../findings';
import { openSample } from '../findings/openSample';
import { layerScope, type PricesUnderWay } from '../findings/backgroundPrices';
import type { FoundOut } from '../findings/read';
import type { CommandId } from '../ids';
import type { RunningJob } from '../jobs/jobRunner';
import { goToSource } from '../python/goToSource';
import type { ModelEntry } from '../results';
import type { Services } from '../services';
import { onSettingChange, setting } from '../settings';
import { fillPage } from '../webviewPage';
import { changesSince, loadSource, type Shown } from './loadSource';
import { offeredFixes } from './findingsView';
import { measurementsOf } from './measurements';
import { layerAt, layerFacts, reportFacts, rowPage } from './reportView';

/** Reports that are answered for: the page may still ask for the one before. */
const REMEMBERED = 2;

/** A report with its figures, which take some time where it is large, and are asked for whenever anything changes. */
interface Answered extends Shown {
  readonly facts: ReportFacts;
}

const ENCODINGS: Readonly<Record<ExportKind, BufferEncoding>> = { svg: 'utf8', png: 'base64', csv: 'utf8' };

export class LayerPanel implements vscode.Disposable {
  readonly #panel: vscode.WebviewPanel;
  readonly #services: Services;
  readonly #subscriptions: vscode.Disposable[] = [];
  #source: ViewSource;
  #entry: ModelEntry;
  /** The newest last. */
  #shown: readonly Answered[] = [];
  #asked = 0;
  #job: RunningJob | undefined;

  constructor(panel: vscode.WebviewPanel, services: Services, entry: ModelEntry, source: ViewSource) {
    this.#panel = panel;
    this.#services = services;
    this.#entry = entry;
    this.#source = source;
    panel.title = `${entry.name} layers`;
    this.#listen();
    fillPage(panel.webview, services.context.extensionUri, 'Layers', 'layers');
  }

  get entry(): ModelEntry {
    return this.#entry;
  }

  get active(): boolean {
    return this.#panel.active;
  }

  onDidDispose(react: () => void): void {
    this.#panel.onDidDispose(react);
  }

  /** Comes to the front, and shows something else where that is asked for. */
  reveal(source: ViewSource): void {
    this.#panel.reveal();
    if (source.target === this.#source.target && source.base === this.#source.base) return;
    this.#source = source;
    void this.#tellState();
  }

  /** Answers no more; the page stays as it is. */
  stop(): void {
    for (const subscription of this.#subscriptions.splice(0)) subscription.dispose();
  }

  dispose(): void {
    this.stop();
    this.#panel.dispose();
  }

  #listen(): void {
    const { jobs, prices, results, selection } = this.#services;
    const refresh = (): void => void this.#tellState();
    this.#subscriptions.push(
      this.#panel.webview.onDidReceiveMessage(async (message: unknown) => {
        const reply = await answerView(message, this.#handlers);
        if (reply !== undefined) await this.#post(reply);
      }),
      results.onDidChange(refresh),
      prices.onDidChange(refresh),
      onSettingChange(['threshold'], refresh),
      vscode.workspace.onDidGrantWorkspaceTrust(refresh),
      jobs.onDidChange(() => {
        const job = jobs.of(this.#entry);
        // Its start and its end change more than a bar.
        if (job !== this.#job) refresh();
        else if (job !== undefined) this.#tell({ type: 'event', event: 'job', data: jobFacts(job) });
        this.#job = job;
      }),
      selection.onDidChange(({ source, layer }) => {
        if (!this.#isSelected()) return;
        this.#look();
        if (source !== 'view') this.#tell({ type: 'event', event: 'select', data: layer ?? null });
      }),
    );
  }

  /** A hidden page does not exist: it asks for everything when it is shown again. */
  #tell(event: ViewEvent): void {
    if (this.#panel.visible) void this.#post(event);
  }

  async #post(message: ToView): Promise<void> {
    // The panel may have been closed while the answer was found.
    if (this.#subscriptions.length > 0) await this.#panel.webview.postMessage(message);
  }

  async #tellState(): Promise<void> {
    this.#asked += 1;
    const asked = this.#asked;
    const data = await this.#state();
    if (asked === this.#asked) this.#tell({ type: 'event', event: 'state', data });
  }

  /** An answer that was overtaken by another thing to show would take its place in the page. */
  async #newestState(): Promise<ViewState> {
    for (;;) {
      const source = this.#source;
      const state = await this.#state();
      if (source === this.#source) return state;
    }
  }

  async #state(): Promise<ViewState> {
    const { jobs, prices, results, selection } = this.#services;
    this.#entry = await results.entryOf(vscode.Uri.parse(this.#source.target));
    const entry = this.#entry;
    const { content, stale } = await this.#content(entry);
    const job = jobs.of(entry);
    return {
      source: this.#source,
      title: nameOf(entry.model.path),
      content,
      job: job === undefined ? null : jobFacts(job),
      trying: tryingFacts(prices.of(entry)),
      failure: jobs.failure(entry)?.toData() ?? null,
      stale,
      obstacle: obstacleOf(entry),
      threshold: setting('threshold', entry.model),
      selected: this.#isSelected() ? (selection.layer ?? null) : null,
    };
  }

  async #content(entry: ModelEntry): Promise<Pick<ViewState, 'content' | 'stale'>> {
    try {
      const shown = await loadSource(this.#services, entry, this.#source);
      if (shown === undefined) return { content: { kind: 'empty' }, stale: [] };
      const facts = this.#shown.find(({ id }) => id === shown.id)?.facts ?? reportFacts(shown);
      this.#shown = [...this.#shown.filter(({ id }) => id !== shown.id), { ...shown, facts }].slice(-REMEMBERED);
      this.#look();
      return {
        content: { kind: 'report', report: facts },
        // An earlier run is out of date by what it is.
        stale: shown.measured === undefined ? [] : await changesSince(shown.report, entry),
      };
    } catch (error) {
      return { content: { kind: 'failed', error: toQuantscopeError(error).toData() }, stale: [] };
    }
  }

  /** The fixes of the layer that is selected are tried, of the last run. */
  #look(): void {
    const { prices, selection } = this.#services;
    const shown = this.#shown.at(-1);
    if (!this.#isSelected() || selection.layer === undefined || shown?.measured === undefined) return;
    prices.look(this.#entry, shown.report, shown.found, layerScope(selection.layer));
  }

  #isSelected(): boolean {
    return this.#services.selection.entry?.folder.toString() === this.#entry.folder.toString();
  }

  readonly #handlers: ViewHandlers = {
    state: () => this.#newestState(),
    rows: ({ report, start }) => rowPage(this.#find(report), start),
    layer: ({ report, layer }) => this.#layer(this.#find(report), layer),
    measurements: ({ report, layer }) => this.#measurements(this.#find(report), layer),
    select: ({ report, layer }) => {
      const name = layer === null ? undefined : layerAt(this.#find(report).report, layer).name;
      const { selection } = this.#services;
      if (this.#isSelected()) selection.select(name, 'view');
      else selection.show(this.#entry, 'view', name);
      return null;
    },
    fix: async ({ report: id, layer, key }) => {
      const shown = this.#find(id);
      const fixes = offeredFixes(shown, nameAt(shown.report, layer));
      const chosen = fixes.find(({ change }) => changeKey(change) === key);
      if (chosen === undefined) throw new QuantscopeError('internal', `The layer has no fix "${key}".`);
      await execute('quantscope.applyFix', this.#entry.recipe, chosen.change);
      return null;
    },
    repair: async ({ key }) => {
      const fixes = this.#services.jobs.failure(this.#entry)?.fixes ?? [];
      const chosen = fixes.find(({ change }) => changeKey(change) === key);
      if (chosen === undefined) throw new QuantscopeError('internal', `The failure has no fix "${key}".`);
      await execute('quantscope.applyFix', this.#entry.recipe, chosen.change);
      return null;
    },
    price: async ({ report: id, layer }) => {
      const { report } = this.#find(id);
      await measurePrices(this.#services, this.#entry, nameAt(report, layer) ?? undefined);
      return null;
    },
    openSample: async ({ report: id, layer, cause }) => {
      const { report, found } = this.#find(id);
      await openSample(this.#entry, report, causesOf(found, nameAt(report, layer))[cause]?.sample);
      return null;
    },
    source: async ({ report, layer, kind }) => {
      const place = layerAt(this.#find(report).report, layer).source?.[kind];
      if (place !== undefined) await goToSource(place);
      return null;
    },
    act: async ({ action }) => {
      await this.#actions[action]();
      return null;
    },
    save: ({ kind, data }) => this.#save(kind, data),
  };

  readonly #actions: Readonly<Record<ViewAction, () => Thenable<unknown>>> = {
    run: () => execute('quantscope.quantize', this.#entry.hasRecipe ? this.#entry.recipe : this.#entry.model),
    benchmark: () =>
      execute('quantscope.benchmarkPair', this.#entry.hasRecipe ? this.#entry.recipe : this.#entry.model),
    findCulprits: () => findCulprits(this.#services, this.#entry),
    stopPrices: () => {
      this.#services.prices.stop(this.#entry);
      return Promise.resolve();
    },
    explainSpeed: () => explainSpeedOf(this.#services, this.#entry),
    openRecipe: () => execute('quantscope.openRecipe', this.#entry.recipe),
    exportOnnx: () => execute('quantscope.exportOnnx', this.#entry.recipe),
    cancel: () => Promise.resolve(this.#services.jobs.of(this.#entry)?.cancel()),
    showLog: () => execute('quantscope.showLog'),
    retry: () => this.#tellState(),
    trust: () => vscode.commands.executeCommand('workbench.trust.manage'),
  };

  /** @throws `internal` for a report that is no longer shown */
  #find(id: string): Shown {
    const found = this.#shown.find((shown) => shown.id === id);
    if (found === undefined)
      throw new QuantscopeError('internal', 'The layer view asked for a report it does not show.');
    return found;
  }

  #layer(shown: Shown, layer: number): LayerFacts {
    const { report, found, measured } = shown;
    if (measured === undefined) return layerFacts(shown, layer);
    const { name } = layerAt(report, layer);
    const planned = this.#services.prices.waiting(this.#entry, report, found, layerScope(name));
    return layerFacts({ ...shown, planned }, layer);
  }

  async #measurements({ report, measured }: Shown, layer: number): Promise<LayerMeasurements> {
    const { name } = layerAt(report, layer);
    const nothing = (note: string): LayerMeasurements => ({ layer, activations: [], weights: [], notes: [note] });
    if (measured === undefined) return nothing('Histograms are kept of the last run only.');
    if (measured.scheme !== 'file') return nothing('Histograms are read from a disk, and this model is not on one.');
    const details = await this.#services.engine.request('details', { report: measured.fsPath, layer: name });
    return measurementsOf(details, layer);
  }

  async #save(kind: ExportKind, data: string): Promise<boolean> {
    const { model, name } = this.#entry;
    const uri = await vscode.window.showSaveDialog({
      title: 'Export Layers',
      defaultUri: model.with({ path: `${folderOf(model.path)}/${name}-layers.${kind}` }),
      filters: { [kind.toUpperCase()]: [kind] },
    });
    if (uri === undefined) return false;
    try {
      await vscode.workspace.fs.writeFile(uri, Buffer.from(data, ENCODINGS[kind]));
    } catch (error) {
      throw new QuantscopeError('file-unwritable', `${uri.fsPath} could not be written.`, { cause: error });
    }
    return true;
  }
}

function execute(command: CommandId, ...args: unknown[]): Thenable<unknown> {
  return vscode.commands.executeCommand(command, ...args);
}

/** `null` for the model as a whole. */
function nameAt(report: Report, layer: number | null): string | null {
  return layer === null ? null : layerAt(report, layer).name;
}

function causesOf({ culprits }: FoundOut, name: string | null): readonly Cause[] {
  const blame = name === null ? culprits : culprits?.layers.find(({ layer }) => layer === name);
  return blame?.causes ?? [];
}

function jobFacts({ title, progress }: RunningJob): JobFacts {
  return {
    title,
    stage: progress?.stage ?? null,
    done: progress?.done ?? 0,
    total: progress?.total ?? 0,
    secondsLeft: progress?.secondsLeft ?? null,
  };
}

function tryingFacts(underWay: PricesUnderWay | undefined): TryingFacts | null {
  if (underWay === undefined) return null;
  const { done, total, planned, waits } = underWay;
  const [first] = planned;
  return { done, total, waits, current: waits || first === undefined ? null : changeKey(first.fix.change) };
}

function obstacleOf({ model }: ModelEntry): Obstacle {
  if (!vscode.workspace.isTrusted) return 'In a restricted workspace models are not run.';
  return model.scheme === 'file' ? null : 'Only models on a disk can be run.';
}
