/** The layer view: one panel per model, opened by a command and again after the window was reloaded. */

import * as vscode from 'vscode';
import type { ViewSource } from '../../shared/viewProtocol';
import { isRecipe, type ModelEntry } from '../results';
import { registerUserCommands, type Services } from '../services';
import { LayerPanel } from './panel';

/** Also in `activationEvents`, since a restored panel starts the extension. */
export const VIEW_TYPE = 'quantscope.layerView';

export function registerLayerView(services: Services): vscode.Disposable {
  const panels = new Map<string, LayerPanel>();
  const keep = (panel: vscode.WebviewPanel, entry: ModelEntry, source: ViewSource): void => {
    const key = entry.folder.toString();
    // A panel of the same model that was opened meanwhile gives way.
    panels.get(key)?.dispose();
    const kept = new LayerPanel(panel, services, entry, source);
    panels.set(key, kept);
    kept.onDidDispose(() => {
      kept.dispose();
      if (panels.get(key) === kept) panels.delete(key);
    });
  };

  const open = async (...args: readonly unknown[]): Promise<void> => {
    const uri = uriOf(args[0]) ?? (await chosen(services));
    if (uri === undefined) return;
    const entry = await services.results.entryOf(uri);
    const source = sourceOf(uri, entry, uriOf(args[1]));
    const { selection } = services;
    if (selection.entry?.folder.toString() !== entry.folder.toString()) selection.show(entry, 'view');
    const known = panels.get(entry.folder.toString());
    if (known !== undefined) known.reveal(source);
    else keep(vscode.window.createWebviewPanel(VIEW_TYPE, entry.name, vscode.ViewColumn.Active), entry, source);
  };

  const serializer: vscode.WebviewPanelSerializer = {
    deserializeWebviewPanel: async (panel, state) => {
      const source = readSource(state);
      if (source === undefined) panel.dispose();
      else {
        const entry = await services.results.entryOf(vscode.Uri.parse(source.target));
        if (services.selection.entry === undefined) services.selection.show(entry, 'view');
        keep(panel, entry, source);
      }
    },
  };

  return vscode.Disposable.from(
    registerUserCommands({ 'quantscope.openLayerView': open }),
    vscode.window.registerWebviewPanelSerializer(VIEW_TYPE, serializer),
    {
      // The panels stay: a window that is reloaded brings them back.
      dispose: () => {
        for (const panel of panels.values()) panel.stop();
      },
    },
  );
}

/** What menus, trees and other features call the command with. */
function uriOf(argument: unknown): vscode.Uri | undefined {
  if (argument instanceof vscode.Uri) return argument;
  if (typeof argument === 'string' && argument !== '') return vscode.Uri.parse(argument);
  if (typeof argument !== 'object' || argument === null || Array.isArray(argument)) return undefined;
  const { uri, entry, model } = argument as Readonly<Record<string, unknown>>;
  return uriOf(uri) ?? uriOf(entry) ?? uriOf(model);
}

/** A PyTorch model is known by its recipe alone. */
function sourceOf(uri: vscode.Uri, entry: ModelEntry, base: vscode.Uri | undefined): ViewSource {
  const isReport = uri.path.endsWith('.json') && uri.toString() !== entry.report.toString();
  const model = entry.framework === 'torch' ? entry.recipe : entry.model;
  const target = isRecipe(uri) || isReport ? uri : model;
  return { target: target.toString(), base: base?.toString() ?? null };
}

/** The model that is looked at; where there is none, one that the user picks. */
async function chosen({ results, selection }: Services): Promise<vscode.Uri | undefined> {
  const edited = vscode.window.activeTextEditor?.document.uri;
  if (edited !== undefined && isRecipe(edited)) return edited;
  if (selection.entry !== undefined) return uriFor(selection.entry);
  const models = await results.models();
  if (models.length === 0) {
    void vscode.window.showInformationMessage('There is no model in this workspace yet.');
    return undefined;
  }
  const [only, ...others] = models;
  if (only !== undefined && others.length === 0) return uriFor(only);
  const items = models.map((entry) => ({
    label: entry.name,
    description: vscode.workspace.asRelativePath(entry.model),
    detail: entry.hasReport ? undefined : 'Not quantized yet',
    entry,
  }));
  const picked = await vscode.window.showQuickPick(
    items
      .sort((a, b) => Number(b.entry.hasReport) - Number(a.entry.hasReport))
      .map(({ detail, ...item }) => ({
        ...item,
        ...(detail === undefined ? {} : { detail }),
      })),
    { placeHolder: 'Model whose layers to show', matchOnDescription: true },
  );
  return picked === undefined ? undefined : uriFor(picked.entry);
}

function uriFor({ hasRecipe, recipe, model }: ModelEntry): vscode.Uri {
  return hasRecipe ? recipe : model;
}

/** What the page has kept of a panel of an earlier window. */
function readSource(state: unknown): ViewSource | undefined {
  if (typeof state !== 'object' || state === null || !('source' in state)) return undefined;
  const { source } = state;
  if (typeof source !== 'object' || source === null || !('target' in source)) return undefined;
  const { target } = source;
  const base = 'base' in source && typeof source.base === 'string' ? source.base : null;
  return typeof target === 'string' && target !== '' ? { target, base } : undefined;
}
