/** Rows of the layers tree: label, number, icon and tooltip. */

import * as vscode from 'vscode';
import { printable, shorten } from '../../shared/format';
import { REASONS } from '../../shared/reasons';
import type { SourceLine, Status } from '../../shared/report';
import { VERDICT_SYMBOLS } from '../../shared/verdicts';
import type { CommandId } from '../ids';
import { layerUri } from './decorations';
import { errorText, tensorFacts, type ListedLayer, type ListedTensor } from './layerList';
import {
  PAGE,
  worstIn,
  type LayerNode,
  type MoreNode,
  type ScopeNode,
  type TensorNode,
  type TreeNode,
} from './layerNodes';

export const STATUS_TITLES: Readonly<Record<Status, string>> = {
  quantized: 'int8',
  float: 'Float on purpose',
  fallback: 'Fallback to float',
};

/** The shapes and colours of the layer view, as icons of our own: `media/status.woff`. */
const STATUS_ICONS: Readonly<Record<Status, vscode.ThemeIcon>> = {
  quantized: new vscode.ThemeIcon('quantscope-int8', new vscode.ThemeColor('charts.blue')),
  float: new vscode.ThemeIcon('quantscope-float', new vscode.ThemeColor('descriptionForeground')),
  fallback: new vscode.ThemeIcon('quantscope-fallback', new vscode.ThemeColor('charts.yellow')),
};

const ROLE_ICONS: Readonly<Record<ListedTensor['role'], string>> = {
  input: 'arrow-right',
  weight: 'symbol-array',
  bias: 'symbol-array',
  output: 'arrow-left',
};

export interface RowContext {
  readonly threshold: number;
  readonly fixable: (layer: ListedLayer) => boolean;
}

/** Of one part of a path, which cannot be cut at a slash. */
const LONGEST_NAME = 28;

const { Collapsed, Expanded, None } = vscode.TreeItemCollapsibleState;

export function treeItem(node: TreeNode, context: RowContext): vscode.TreeItem {
  switch (node.kind) {
    case 'scope':
      return scopeItem(node);
    case 'layer':
      return layerItem(node, context);
    case 'tensor':
      return tensorItem(node);
    case 'more':
      return moreItem(node);
  }
}

function scopeItem(node: ScopeNode): vscode.TreeItem {
  const item = new vscode.TreeItem(printable(node.label), node.parent === undefined ? Expanded : Collapsed);
  item.id = node.id;
  item.description = errorText(worstIn(node));
  item.contextValue = 'scope';
  return item;
}

function layerItem(node: LayerNode, { threshold, fixable }: RowContext): vscode.TreeItem {
  const { layer, label, place } = node;
  const { name, op, status, localText, reason, remedy } = layer;
  const shown = shorten(printable(label), LONGEST_NAME);
  const item = new vscode.TreeItem(shown, layer.tensors.length > 0 ? Collapsed : None);
  const number = localText;
  const resource = layerUri(layer, threshold);
  item.id = node.id;
  // The number first: what does not fit is cut at the end.
  const fix = remedy === undefined ? '' : `▲ ${remedy.price}`;
  item.description = [number, fix, printable(place), printable(op)].filter((part) => part !== '').join('  ');
  item.iconPath = STATUS_ICONS[status];
  const more = [...(fixable(layer) ? ['fixable'] : []), ...(layer.place === undefined ? [] : ['source'])];
  item.contextValue = ['layer', status, ...more].join(' ');
  const why = reason === null ? '' : REASONS[reason].sentence;
  const better = remedy === undefined ? '' : `${remedy.title}: ${remedy.price}`;
  const said = [name, op, STATUS_TITLES[status], number, why, better];
  item.accessibilityInformation = { label: printable(said.filter((part) => part !== '').join(', ')) };
  if (resource !== undefined) item.resourceUri = resource;
  return item;
}

function tensorItem({ id, tensor }: TensorNode): vscode.TreeItem {
  const item = new vscode.TreeItem(tensor.role, None);
  item.id = id;
  item.description = tensorFacts(tensor);
  item.iconPath = new vscode.ThemeIcon(ROLE_ICONS[tensor.role]);
  item.contextValue = 'tensor';
  return item;
}

function moreItem(node: MoreNode): vscode.TreeItem {
  const item = new vscode.TreeItem(`Show ${Math.min(PAGE, node.left)} more of ${node.left}`, None);
  item.id = node.id;
  item.iconPath = new vscode.ThemeIcon('ellipsis');
  item.contextValue = 'more';
  const command: CommandId = 'quantscope.layers.showMore';
  item.command = { command, title: 'Show More Layers', arguments: [node] };
  return item;
}

export function treeTooltip(node: TreeNode): vscode.MarkdownString | undefined {
  if (node.kind === 'tensor')
    return new vscode.MarkdownString().appendText(`${printable(node.tensor.name)}\n${tensorFacts(node.tensor)}`);
  if (node.kind !== 'layer') return undefined;
  const { name, op, status, kernel, reason, localText, accumulatedText, blame, remedy, place } = node.layer;
  // Names are a model's: as text only, never as Markdown.
  const text = new vscode.MarkdownString('**').appendText(printable(name)).appendMarkdown('**\n\n');
  text.appendText(`${printable(op)} · ${STATUS_TITLES[status]}`);
  if (kernel !== null) text.appendText(` · runs as ${printable(kernel)}`);
  if (localText !== '') text.appendMarkdown('\n\nLocal SQNR ').appendText(localText);
  if (accumulatedText !== '') text.appendMarkdown('\n\nAccumulated SQNR ').appendText(accumulatedText);
  if (blame !== undefined) {
    text
      .appendMarkdown('\n\n')
      .appendText(`${VERDICT_SYMBOLS[blame.verdict]} ${blame.verdict}: ${printable(blame.why)}`);
  }
  if (remedy !== undefined) {
    text.appendMarkdown('\n\n').appendText(`▲ ${printable(remedy.title)}: ${remedy.price}`);
  }
  if (reason !== null) text.appendMarkdown(`\n\n${REASONS[reason].sentence} ${REASONS[reason].advice}`);
  if (place !== undefined) text.appendMarkdown('\n\n').appendText(placeText(place));
  return text;
}

function placeText({ file, line }: SourceLine): string {
  return `${vscode.workspace.asRelativePath(file)}:${line}`;
}
