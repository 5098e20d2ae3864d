/** The layers of the model that is looked at, as a tree: found, sorted, filtered, followed and fixed from there. */

import * as vscode from 'vscode';
import type { RecipeChange } from '../shared/fixes';
import type { Report, Status } from '../shared/report';
import { layerScope } from './findings/backgroundPrices';
import { fixChoices } from './findings/fixPicks';
import { pickFix } from './findings/pickFix';
import { NOTHING_FOUND, readKnown, type Known } from './findings/read';
import { STATUS_TITLES, treeItem, treeTooltip } from './layers/items';
import { layersOfInspection, layersOfReport, neighbours, type ListedLayer } from './layers/layerList';
import { LayerNodes, NO_FILTER, type LayerFilter, type TreeNode } from './layers/layerNodes';
import { registerDecorations } from './layers/decorations';
import { VIEWS, type LayerOrder } from './ids';
import { goToSource } from './python/goToSource';
import type { ModelEntry } from './results';
import { registerCommands, registerUserCommands, type Services } from './services';
import { onSettingChange, setContext, setting } from './settings';

export function registerLayersTree(services: Services): vscode.Disposable {
  const tree = new LayersTree(services);
  return vscode.Disposable.from(tree, registerDecorations(), tree.registerCommands());
}

class LayersTree implements vscode.TreeDataProvider<TreeNode>, vscode.Disposable {
  readonly #services: Services;
  readonly #changed = new vscode.EventEmitter<undefined>();
  readonly #view: vscode.TreeView<TreeNode>;
  readonly #subscriptions: readonly { dispose(): unknown }[];
  #layers: readonly ListedLayer[] = [];
  #report: Report | undefined;
  #found: Known = NOTHING_FOUND;
  #nodes = new LayerNodes([], 'graph', NO_FILTER);
  #order: LayerOrder = 'graph';
  #filter: LayerFilter = NO_FILTER;
  #threshold = 0;
  #loads = 0;
  /** Which model, and what of it. */
  #shownKey = '';
  /** Whose row the tree is on its way to, which then calls it selected: by no person, and perhaps no more by anybody. */
  #revealing: string | undefined;

  readonly onDidChangeTreeData = this.#changed.event;

  constructor(services: Services) {
    this.#services = services;
    this.#view = vscode.window.createTreeView(VIEWS.layers, { treeDataProvider: this, showCollapseAll: true });
    const load = (): void => void this.#load();
    this.#subscriptions = [
      this.#view,
      this.#changed,
      services.selection.onDidChange(({ source }) => void this.#follow(source === 'tree')),
      services.results.onDidChange(load),
      onSettingChange(['threshold'], load),
      this.#view.onDidChangeSelection(({ selection: [node] }) => {
        const layer = node?.kind === 'tensor' ? node.parent : node;
        if (layer?.kind !== 'layer' || layer.layer.name === this.#revealing) return;
        services.selection.select(layer.layer.name, 'tree');
      }),
      this.#view.onDidChangeVisibility(({ visible }) => {
        if (visible) void this.#reveal();
      }),
    ];
    setContext('quantscope.layerOrder', this.#order);
    load();
  }

  getChildren(parent?: TreeNode): TreeNode[] {
    return this.#nodes.children(parent);
  }

  getParent(node: TreeNode): TreeNode | undefined {
    return node.parent;
  }

  getTreeItem(node: TreeNode): vscode.TreeItem {
    return treeItem(node, { threshold: this.#threshold, fixable: (layer) => this.#isFixable(layer) });
  }

  resolveTreeItem(item: vscode.TreeItem, node: TreeNode): vscode.TreeItem {
    item.tooltip = treeTooltip(node);
    return item;
  }

  dispose(): void {
    for (const subscription of this.#subscriptions) subscription.dispose();
  }

  registerCommands(): vscode.Disposable {
    return vscode.Disposable.from(
      registerCommands({
        'quantscope.layers.sortByGraph': () => this.#sort('graph'),
        'quantscope.layers.sortByError': () => this.#sort('error'),
        'quantscope.layers.clearFilter': () => this.#setFilter(NO_FILTER),
        'quantscope.layers.showMore': (node) => {
          if (!isNode(node) || node.kind !== 'more') return;
          this.#nodes.showMore(node);
          this.#changed.fire(undefined);
        },
      }),
      registerUserCommands({
        'quantscope.layers.filterText': () => this.#askText(),
        'quantscope.layers.filterStatus': () => this.#askStatus(),
        'quantscope.layers.goToProducer': (...args) => this.#go(this.#layerOf(args), 'producer'),
        'quantscope.layers.goToConsumer': (...args) => this.#go(this.#layerOf(args), 'consumer'),
        'quantscope.layers.copyName': async (...args) =>
          vscode.env.clipboard.writeText(this.#layerOf(args)?.name ?? ''),
        'quantscope.layers.excludeLayer': (...args) => this.#exclude(this.#layerOf(args)),
        'quantscope.layers.showFixes': (...args) => this.#showFixes(this.#layerOf(args)),
        'quantscope.layers.showInView': (...args) => this.#showInView(args),
        'quantscope.layers.goToSource': (...args) => this.#goToSource(this.#layerOf(args)),
      }),
    );
  }

  /** Another model loads; another layer is only shown. */
  async #follow(own: boolean): Promise<void> {
    const { entry, inspection } = this.#services.selection;
    const key = `${entry?.folder.toString() ?? ''} ${inspection === undefined ? 'report' : 'inspection'}`;
    if (key !== this.#shownKey) {
      this.#shownKey = key;
      await this.#load();
    }
    if (!own) await this.#reveal();
  }

  async #load(): Promise<void> {
    this.#loads += 1;
    const load = this.#loads;
    const { selection, results, log } = this.#services;
    const { entry, inspection } = selection;
    let message: string | undefined;
    let report: Report | undefined;
    let found: Known = NOTHING_FOUND;
    try {
      report = entry === undefined || inspection !== undefined ? undefined : await results.report(entry);
      if (entry !== undefined && report !== undefined) found = await readKnown(entry, report);
    } catch (error) {
      message = 'The report cannot be read. Quantize again to replace it.';
      log.warn(String(error));
    }
    // Another one was asked for meanwhile.
    if (load !== this.#loads) return;
    this.#report = report;
    this.#found = found;
    this.#layers =
      inspection !== undefined
        ? layersOfInspection(inspection)
        : report === undefined
          ? []
          : layersOfReport(report, found);
    this.#threshold = setting('threshold', entry?.model);
    const problems = this.#layers.filter(({ local }) => local !== undefined && local < this.#threshold).length;
    this.#view.description = entry === undefined || this.#layers.length === 0 ? '' : entry.name;
    this.#view.badge =
      problems === 0 ? undefined : { value: problems, tooltip: `${problems} below ${this.#threshold} dB` };
    setContext('quantscope.hasLayers', this.#layers.length > 0);
    this.#arrange(message ?? (inspection === undefined ? undefined : 'Planned, not measured: quantize to see errors.'));
  }

  #arrange(message?: string): void {
    this.#nodes = new LayerNodes(this.#layers, this.#order, this.#filter);
    const filtered = this.#filter.text !== '' || this.#filter.statuses.length > 0;
    setContext('quantscope.layersFiltered', filtered);
    const counted = filtered ? `${this.#nodes.count} of ${this.#layers.length} layers` : undefined;
    const told = message ?? counted;
    // No message is not the same as an undefined one for the type of the view.
    this.#view.message = told ?? '';
    this.#changed.fire(undefined);
  }

  async #reveal(): Promise<void> {
    const { layer } = this.#services.selection;
    if (layer === undefined || !this.#view.visible) return;
    const found = this.#nodes.find(layer);
    if (found === undefined) return;
    if (found.paged) this.#changed.fire(undefined);
    this.#revealing = layer;
    try {
      await this.#view.reveal(found.node, { select: true, focus: false });
    } catch {
      // The tree was drawn anew meanwhile, and shows the selection then.
    } finally {
      if (this.#revealing === layer) this.#revealing = undefined;
    }
  }

  #sort(order: LayerOrder): void {
    this.#order = order;
    setContext('quantscope.layerOrder', order);
    this.#arrange();
    void this.#reveal();
  }

  #setFilter(filter: LayerFilter): void {
    this.#filter = filter;
    this.#arrange();
  }

  async #askText(): Promise<void> {
    const text = await vscode.window.showInputBox({
      title: 'Filter Layers by Name',
      prompt: 'Words that the name or the operator must hold. Empty shows all.',
      value: this.#filter.text,
    });
    if (text !== undefined) this.#setFilter({ ...this.#filter, text: text.trim() });
  }

  async #askStatus(): Promise<void> {
    const items = (Object.keys(STATUS_TITLES) as Status[]).map((status) => ({
      label: STATUS_TITLES[status],
      description: String(this.#layers.filter((layer) => layer.status === status).length),
      picked: this.#filter.statuses.length === 0 || this.#filter.statuses.includes(status),
      status,
    }));
    const chosen = await vscode.window.showQuickPick(items, { title: 'Filter Layers by Status', canPickMany: true });
    if (chosen === undefined) return;
    this.#setFilter({
      ...this.#filter,
      statuses: chosen.length === items.length ? [] : chosen.map(({ status }) => status),
    });
  }

  /**
   * The layer of a row, or where no row is meant the selected one. A menu whose row has gone since it was opened passes
   * nothing for it, and must not change another layer.
   * @param args what the command was called with
   */
  #layerOf(args: readonly unknown[]): ListedLayer | undefined {
    const [node] = args;
    if (isNode(node))
      return node.kind === 'layer' ? node.layer : node.kind === 'tensor' ? node.parent.layer : undefined;
    const { layer } = this.#services.selection;
    return args.length > 0 ? undefined : this.#layers.find(({ name }) => name === layer);
  }

  async #go(layer: ListedLayer | undefined, direction: 'producer' | 'consumer'): Promise<void> {
    if (layer === undefined) return;
    const found = neighbours(this.#layers, layer, direction);
    if (found.length === 0) {
      const what = direction === 'producer' ? 'reads only inputs of the model' : 'makes only outputs of the model';
      void vscode.window.showInformationMessage(`${layer.name} ${what}.`);
      return;
    }
    const items = found.map(({ name, op }) => ({ label: name, description: op }));
    const chosen = items.length === 1 ? items[0] : await vscode.window.showQuickPick(items, { title: layer.name });
    if (chosen === undefined) return;
    // A layer that the filter hides is shown all the same.
    if (this.#nodes.find(chosen.label) === undefined) this.#setFilter(NO_FILTER);
    this.#services.selection.select(chosen.label, 'command');
  }

  /** @param args a row, or a layer of any model as other features name it */
  async #showInView(args: readonly unknown[]): Promise<void> {
    const { selection } = this.#services;
    const layer = this.#layerOf(args)?.name;
    const [target] = args;
    if (isLayerOfEntry(target)) selection.show(target.entry, 'editor', target.layer);
    else if (layer !== undefined) selection.select(layer, 'tree');
    const { entry } = selection;
    await vscode.commands.executeCommand(
      'quantscope.openLayerView',
      entry?.hasRecipe === true ? entry.recipe : entry?.model,
    );
  }

  async #goToSource(layer: ListedLayer | undefined): Promise<void> {
    if (layer?.place !== undefined) await goToSource(layer.place);
    else if (layer !== undefined) {
      void vscode.window.showInformationMessage(`It is not known where ${layer.name} stands in a source file.`);
    }
  }

  #isFixable(layer: ListedLayer): boolean {
    if (this.#report === undefined) return false;
    return layer.status === 'fallback' || (layer.local !== undefined && layer.local < this.#threshold);
  }

  async #exclude(layer: ListedLayer | undefined): Promise<void> {
    if (layer !== undefined) await this.#apply({ kind: 'override', override: { select: layer.name, quantize: false } });
  }

  async #showFixes(layer: ListedLayer | undefined): Promise<void> {
    const { prices, selection } = this.#services;
    const { entry } = selection;
    const report = this.#report;
    if (layer === undefined || report === undefined || entry === undefined) return;
    const { name } = layer;
    const scope = layerScope(name);
    prices.look(entry, report, this.#found, scope);
    const chosen = await pickFix({
      title: name,
      choices: () => fixChoices(report, name, this.#found, prices.waiting(entry, report, this.#found, scope)),
      onDidChange: [prices.onDidChange, this.#changed.event],
      stop: () => {
        prices.stop(entry);
      },
    });
    if (chosen !== undefined) await this.#apply(chosen.change);
  }

  async #apply(change: RecipeChange): Promise<void> {
    const { entry } = this.#services.selection;
    if (entry !== undefined) await vscode.commands.executeCommand('quantscope.applyFix', entry.recipe, change);
  }
}

/** What a menu of the tree passes, against what the palette and others do. */
function isNode(value: unknown): value is TreeNode {
  return typeof value === 'object' && value !== null && 'kind' in value && 'id' in value;
}

interface LayerOfEntry {
  readonly entry: ModelEntry;
  readonly layer: string;
}

function isLayerOfEntry(value: unknown): value is LayerOfEntry {
  return typeof value === 'object' && value !== null && 'entry' in value && 'layer' in value && !isNode(value);
}
