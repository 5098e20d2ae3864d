/** The model of a recipe document: its entries with what they match and what of them counts. Pure. */

import {
  nearestSelectors,
  SELECTOR_KINDS,
  selectorsOf,
  settingsOf,
  type NodeOverride,
  type Selector,
} from '../shared/selectors';
import type { LayerOverride } from '../shared/recipe';
import type { Facts, LayerNode } from './facts';
import type { EntryText, RecipeText } from './recipeText';

export interface ServerSettings {
  /** Layers below this many dB are findings. */
  readonly threshold: number;
  /** How many layers at most are findings. */
  readonly maxFindings: number;
}

export const DEFAULT_SETTINGS: ServerSettings = { threshold: 20, maxFindings: 20 };

export interface Entry extends EntryText {
  /** The nodes the selector means; `undefined` as long as the model's are not known. */
  readonly matches: readonly LayerNode[] | undefined;
  /** Settings of the entry that count for at least one of its nodes. */
  readonly effective: ReadonlySet<string>;
  /** Entries that beat this one somewhere, by index. */
  readonly beatenBy: ReadonlySet<number>;
}

export interface Analysis extends RecipeText {
  readonly facts: Facts;
  readonly settings: ServerSettings;
  readonly entries: readonly Entry[];
  /** What all entries together say, by node name. */
  readonly overrides: ReadonlyMap<string, NodeOverride>;
  /** Names of nodes. */
  readonly names: ReadonlySet<string>;
}

export function analyze(recipeText: RecipeText, facts: Facts, settings: ServerSettings): Analysis {
  const nodes = facts.model?.nodes;
  const index = nodes === undefined ? undefined : indexOf(nodes);
  const selected = recipeText.entries.map((entry) => {
    return { ...entry, ...(index === undefined ? { matches: undefined } : index.select(entry.select)) };
  });
  const { overrides, entries } = decide(selected);
  return { ...recipeText, facts, settings, entries, overrides, names: index?.names ?? new Set() };
}

/** What other entries say about the nodes of a report's recipe. */
export function overridesOf(
  layers: readonly LayerOverride[],
  nodes: readonly LayerNode[],
): ReadonlyMap<string, NodeOverride> {
  const index = indexOf(nodes);
  const nowhere = { start: 0, end: 0 };
  const entries = layers.map((override, at) => {
    const { select } = override;
    return { index: at, select, override, at: nowhere, whole: nowhere, ...index.select(select) };
  });
  return decide(entries).overrides;
}

type Selected = EntryText & { readonly matches: readonly LayerNode[] | undefined; readonly kind?: Selector['kind'] };

/** The rule of `resolveOverrides`: of entries that set the same key of a node, the stronger wins, else the later. */
function decide(selected: readonly Selected[]): Pick<Analysis, 'overrides' | 'entries'> {
  const winners = new Map<string, Map<string, Selected>>();
  const beatenBy = new Map<number, Set<number>>();
  for (const kind of SELECTOR_KINDS) {
    for (const entry of selected) {
      if (entry.kind !== kind || entry.override === undefined) continue;
      const keys = Object.keys(settingsOf(entry.override));
      if (keys.length === 0) continue;
      for (const { name } of entry.matches ?? []) {
        const settings = entryOf(winners, name, () => new Map<string, Selected>());
        for (const key of keys) {
          const former = settings.get(key);
          if (former !== undefined) entryOf(beatenBy, former.index, () => new Set()).add(entry.index);
          settings.set(key, entry);
        }
      }
    }
  }
  const effective = new Map<number, Set<string>>();
  const overrides = new Map<string, NodeOverride>();
  for (const [name, settings] of winners) {
    const override: Record<string, unknown> = {};
    for (const [key, { index, override: from }] of settings) {
      entryOf(effective, index, () => new Set()).add(key);
      if (from !== undefined) override[key] = from[key as keyof NodeOverride];
    }
    overrides.set(name, override);
  }
  const none = new Set<never>();
  const entries = selected.map((entry) => ({
    ...entry,
    effective: effective.get(entry.index) ?? none,
    beatenBy: beatenBy.get(entry.index) ?? none,
  }));
  return { overrides, entries };
}

function entryOf<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  let value = map.get(key);
  if (value === undefined) map.set(key, (value = make()));
  return value;
}

/** Answers about one model's nodes, remembered from keystroke to keystroke. */
class NodeIndex {
  readonly names: ReadonlySet<string>;
  readonly #nodes: readonly LayerNode[];
  readonly #selector: (text: string) => Selector;
  readonly #selected = new Map<string, Selection>();
  readonly #nearest = new Map<string, readonly string[]>();

  constructor(nodes: readonly LayerNode[]) {
    this.#nodes = nodes;
    this.names = new Set(nodes.map(({ name }) => name));
    this.#selector = selectorsOf(nodes);
  }

  select(text: string): Selection {
    return remember(this.#selected, text, () => {
      const { kind, matches } = this.#selector(text);
      return { kind, matches: this.#nodes.filter(matches) };
    });
  }

  nearest(text: string): readonly string[] {
    return remember(this.#nearest, text, () => nearestSelectors(text, this.#nodes));
  }
}

interface Selection {
  readonly matches: readonly LayerNode[];
  readonly kind: Selector['kind'];
}

/** More selectors than a recipe has; what is typed adds one a keystroke. */
const MOST_REMEMBERED = 2_000;

function remember<V>(memory: Map<string, V>, key: string, make: () => V): V {
  const known = memory.get(key);
  if (known !== undefined) return known;
  if (memory.size >= MOST_REMEMBERED) memory.clear();
  const made = make();
  memory.set(key, made);
  return made;
}

const indices = new WeakMap<readonly LayerNode[], NodeIndex>();

function indexOf(nodes: readonly LayerNode[]): NodeIndex {
  let index = indices.get(nodes);
  if (index === undefined) indices.set(nodes, (index = new NodeIndex(nodes)));
  return index;
}

/** Selectors that match something and look like one that matches nothing. */
export function nearestTo(select: string, nodes: readonly LayerNode[]): readonly string[] {
  return indexOf(nodes).nearest(select);
}
