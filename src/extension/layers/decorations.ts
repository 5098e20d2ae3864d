/** Colours of the rows. A scheme of our own, so that no other extension colours them as files. */

import * as vscode from 'vscode';
import type { ListedLayer } from './layerList';

const SCHEME = 'quantscope-layer';

type Level = 'problem' | 'fallback' | 'float';

const decoration = (color: string, badge?: string, tooltip?: string): vscode.FileDecoration =>
  new vscode.FileDecoration(badge, tooltip, new vscode.ThemeColor(color));

const DECORATIONS: Readonly<Record<Level, vscode.FileDecoration>> = {
  problem: decoration('list.errorForeground', '!', 'Below the threshold'),
  fallback: decoration('list.warningForeground', undefined, 'Was to run in int8 but does not'),
  float: decoration('descriptionForeground'),
};

/** `undefined` for a layer that is as it should be. */
export function layerUri({ name, status, local }: ListedLayer, threshold: number): vscode.Uri | undefined {
  const level = local !== undefined && local < threshold ? 'problem' : status === 'quantized' ? undefined : status;
  // In the query, since a path must not begin with two slashes and names often begin with one.
  return level === undefined
    ? undefined
    : vscode.Uri.from({ scheme: SCHEME, path: '/layer', query: name, fragment: level });
}

export function registerDecorations(): vscode.Disposable {
  return vscode.window.registerFileDecorationProvider({
    provideFileDecoration: ({ scheme, fragment }) =>
      scheme === SCHEME && Object.hasOwn(DECORATIONS, fragment) ? DECORATIONS[fragment as Level] : undefined,
  });
}
