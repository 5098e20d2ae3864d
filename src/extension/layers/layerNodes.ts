/** The layers as a tree: scopes in graph order, or all layers in a row, the worst first. Pages of each. Pure. */

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
    const kept = layers.filter((layer) => passes(layer, filter));
    this.count = kept.length;
    this.#top =
      order === 'error' ? kept.toSorted(byError).map((layer) => this.#node(layer, undefined)) : this.#scopes(kept);
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

  #node(layer: ListedLayer, parent: ScopeNode | undefined): LayerNode {
    const node: LayerNode = { kind: 'layer', id: `layer ${layer.name}`, parent, layer };
    this.#byName.set(layer.name, node);
    return node;
  }

  /** Each scope stands where its first layer does. */
  #scopes(layers: readonly ListedLayer[]): (ScopeNode | LayerNode)[] {
    const top: (ScopeNode | LayerNode)[] = [];
    const known = new Map<string, ScopeNode>();
    for (const layer of layers) {
      let parent: ScopeNode | undefined;
      let path = '';
      for (const label of layer.scope.split('/').filter((part) => part !== '')) {
        path += `/${label}`;
        let scope = known.get(path);
        if (scope === undefined) {
          scope = { kind: 'scope', id: `scope ${path}`, label, parent, children: [] };
          known.set(path, scope);
          (parent?.children ?? top).push(scope);
        }
        parent = scope;
      }
      (parent?.children ?? top).push(this.#node(layer, parent));
    }
    return top;
  }
}

function passes({ name, op, status }: ListedLayer, { text, statuses }: LayerFilter): boolean {
  if (statuses.length > 0 && !statuses.includes(status)) return false;
  const searched = `${name} ${op}`.toLowerCase();
  return text
    .toLowerCase()
    .split(/\s+/)
    .every((word) => searched.includes(word));
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
