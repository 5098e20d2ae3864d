/**
 * The layers as a tree: scopes in graph order, or all layers in a row, the worst first. Pages of each. Pure.
 * A scope with one child alone takes no row of its own, as in the explorer's compact folders: exporters give every
 * module a scope, and a narrow side bar has little room for indentation.
 */

import type { Status } from '../../shared/report';
import type { LayerOrder } from '../ids';
import type { ListedLayer, ListedTensor } from './layerList';

export interface ScopeNode {
  readonly kind: 'scope';
  readonly id: string;
  readonly label: string;
  readonly parent: ScopeNode | undefined;
  readonly children: (ScopeNode | LayerNode)[];
}
export interface LayerNode {
  readonly kind: 'layer';
  readonly id: string;
  /** Its name without the scopes that stand above it; in a row of all layers the end of it. */
  readonly label: string;
  /** What a label leaves out at its begin, and nothing above it says. */
  readonly place: string;
  readonly parent: ScopeNode | undefined;
  readonly layer: ListedLayer;
}
export interface TensorNode {
  readonly kind: 'tensor';
  readonly id: string;
  readonly parent: LayerNode;
  readonly tensor: ListedTensor;
}
/** Stands for what a page leaves out. */
export interface MoreNode {
  readonly kind: 'more';
  readonly id: string;
  readonly parent: ScopeNode | undefined;
  readonly left: number;
}
export type TreeNode = ScopeNode | LayerNode | TensorNode | MoreNode;

export interface LayerFilter {
  /** Words that name or operator must hold, in any case. */
  readonly text: string;
  /** Empty: all. */
  readonly statuses: readonly Status[];
}
export const NO_FILTER: LayerFilter = { text: '', statuses: [] };

/** Children of one parent that are shown at once. */
export const PAGE = 200;

/** Key of the pages of the top. */
export const TOP = '';

export class LayerNodes {
  /** How many layers pass the filter. */
  readonly count: number;
  readonly #top: readonly (ScopeNode | LayerNode)[];
  readonly #byName = new Map<string, LayerNode>();
  readonly #limits = new Map<string, number>();

  constructor(layers: readonly ListedLayer[], order: LayerOrder, filter: LayerFilter) {
    const kept = layers.filter(passes(filter));
    this.count = kept.length;
    this.#top =
      order === 'error'
        ? kept.toSorted(byError).map((layer) => this.#layerNode(layer, shortened(layer.name), undefined))
        : groupsOf(kept).members.map((member) => this.#node(member, undefined));
  }

  children(parent?: TreeNode): TreeNode[] {
    if (parent?.kind === 'layer') {
      return parent.layer.tensors.map((tensor, index) => ({
        ...{ kind: 'tensor', parent, tensor },
        id: `${parent.id} ${tensor.role} ${index} ${tensor.name}`,
      }));
    }
    if (parent !== undefined && parent.kind !== 'scope') return [];
    const all = parent?.children ?? this.#top;
    const key = parent?.id ?? TOP;
    const limit = this.#limits.get(key) ?? PAGE;
    const left = all.length - limit;
    const shown: TreeNode[] = all.slice(0, limit);
    if (left > 0) shown.push({ kind: 'more', id: `more ${key}`, parent, left });
    return shown;
  }

  showMore({ parent }: MoreNode): void {
    const key = parent?.id ?? TOP;
    this.#limits.set(key, (this.#limits.get(key) ?? PAGE) + PAGE);
  }

  /** The node of a layer, if the filter lets it pass; `paged` where pages had to grow for it. */
  find(name: string): { readonly node: LayerNode; readonly paged: boolean } | undefined {
    const node = this.#byName.get(name);
    if (node === undefined) return undefined;
    let paged = false;
    for (let at: ScopeNode | LayerNode = node; ; at = at.parent) {
      const siblings = at.parent?.children ?? this.#top;
      const key = at.parent?.id ?? TOP;
      const needed = Math.ceil((siblings.indexOf(at) + 1) / PAGE) * PAGE;
      if (needed > (this.#limits.get(key) ?? PAGE)) {
        this.#limits.set(key, needed);
        paged = true;
      }
      if (at.parent === undefined) return { node, paged };
    }
  }

  #node(member: Member, parent: ScopeNode | undefined): ScopeNode | LayerNode {
    let [label, inner] = ['', member];
    while (isGroup(inner)) {
      label += label === '' ? inner.label : `/${inner.label}`;
      const [only, another] = inner.members;
      if (only === undefined || another !== undefined) return this.#scopeNode(inner, label, parent);
      inner = only;
    }
    const { name, scope } = inner;
    // Without a scope the name may hold anything.
    const own = scope === '' ? name : lastPart(name, scope);
    return this.#layerNode(inner, { label: label === '' ? own : `${label}/${own}`, place: '' }, parent);
  }

  #scopeNode({ path, members }: Group, label: string, parent: ScopeNode | undefined): ScopeNode {
    const scope: ScopeNode = { kind: 'scope', id: `scope ${path}`, label, parent, children: [] };
    for (const member of members) scope.children.push(this.#node(member, scope));
    return scope;
  }

  #layerNode(layer: ListedLayer, shown: Pick<LayerNode, 'label' | 'place'>, parent: ScopeNode | undefined): LayerNode {
    const node: LayerNode = { kind: 'layer', id: `layer ${layer.name}`, ...shown, parent, layer };
    this.#byName.set(layer.name, node);
    return node;
  }
}

/** Of paths with slashes as ONNX has them, or with dots as PyTorch does. */
function lastPart(name: string, scope: string): string {
  const isDotted = !name.includes('/') && name.replaceAll('.', '/').startsWith(`${scope}/`);
  return name.slice(isDotted ? scope.length + 1 : name.lastIndexOf('/') + 1);
}

/** Longer names leave no room for the number behind them in a side bar of 250 pixels. */
const LONGEST_NAME = 16;

/** The end of a path tells more than its begin, which follows where there is room. */
export function shortened(name: string): Pick<LayerNode, 'label' | 'place'> {
  if (name.length <= LONGEST_NAME) return { label: name, place: '' };
  let at = name.lastIndexOf('/');
  for (let before = at; before >= 0 && name.length - before < LONGEST_NAME; before = name.lastIndexOf('/', at - 1)) {
    at = before;
    if (before === 0) break;
  }
  return at <= 0 ? { label: name, place: '' } : { label: `…${name.slice(at)}`, place: name.slice(0, at) };
}

/** The layers below one part of a scope's path. */
interface Group {
  readonly label: string;
  readonly path: string;
  readonly members: Member[];
}
type Member = Group | ListedLayer;

function isGroup(member: Member): member is Group {
  return 'members' in member;
}

/** Each group stands where its first layer does. */
function groupsOf(layers: readonly ListedLayer[]): Group {
  const root: Group = { label: '', path: '', members: [] };
  const known = new Map<string, Group>();
  for (const layer of layers) {
    let group = root;
    for (const label of layer.scope.split('/').filter((part) => part !== '')) {
      const path = `${group.path}/${label}`;
      let inner = known.get(path);
      if (inner === undefined) {
        inner = { label, path, members: [] };
        known.set(path, inner);
        group.members.push(inner);
      }
      group = inner;
    }
    group.members.push(layer);
  }
  return root;
}

function passes({ text, statuses }: LayerFilter): (layer: ListedLayer) => boolean {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  return ({ name, op, status }) => {
    if (statuses.length > 0 && !statuses.includes(status)) return false;
    if (words.length === 0) return true;
    const searched = `${name} ${op}`.toLowerCase();
    return words.every((word) => searched.includes(word));
  };
}

/** What was not measured comes last, in graph order. */
function byError(a: ListedLayer, b: ListedLayer): number {
  const [first, second] = [a.local ?? Infinity, b.local ?? Infinity];
  if (first !== second) return first - second;
  return Number(a.local === undefined) - Number(b.local === undefined);
}

/** The lowest error of the layers below a scope, in dB. */
export function worstIn({ children }: ScopeNode): number | undefined {
  return children.reduce<number | undefined>((worst, child) => {
    const value = child.kind === 'scope' ? worstIn(child) : child.layer.local;
    return value === undefined || (worst !== undefined && worst <= value) ? worst : value;
  }, undefined);
}
