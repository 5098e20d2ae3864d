/** Which nodes an entry of the recipe's `layers` means, and which entry wins. */

import { QuantscopeError } from './errors';
import type { LayerOverride } from './recipe';
import { editDistance } from './closest';
import { REGEX, regexOf } from './regexSelector';
import { globToRegExp } from './glob';

export interface Selectable {
  readonly name: string;
  /** Its name with slashes between the scopes, where they are dots in the name, as in PyTorch. */
  readonly path?: string;
  readonly op: string;
  /** Name of the layer of the user's model that was split, where this is one of its parts: what means it means them. */
  readonly partOf?: string;
}

/** Weakest first: exact name beats glob beats `scope:` beats `op:`. */
export const SELECTOR_KINDS = ['op', 'scope', 'glob', 'name'] as const;
export type SelectorKind = (typeof SELECTOR_KINDS)[number];

export interface Selector {
  readonly kind: SelectorKind;
  readonly matches: (node: Selectable) => boolean;
}

/** Reads selectors of these nodes: dots and slashes are the same where paths have dots. */
export function selectorsOf(nodes: readonly Selectable[]): (text: string) => Selector {
  const names = new Set(nodes.map(pathOf));
  const dotted = nodes.some(({ path }) => path !== undefined);
  const isPath = (text: string): boolean => !text.startsWith('op:') && !text.startsWith(REGEX);
  return (text) => parse(dotted && isPath(text) ? withSlashes(text) : text, names);
}

/** A name with slashes between its scopes, from one with dots. */
export function withSlashes(name: string): string {
  return name.replaceAll('.', '/');
}

function pathOf({ name, path }: Selectable): string {
  return path ?? name;
}

/** A name that exists is always meant literally, even where it could be read as a pattern. */
function parse(text: string, names: ReadonlySet<string>): Selector {
  if (names.has(text)) return byPath('name', (path) => path === text);
  if (text.startsWith('op:')) {
    const op = text.slice('op:'.length);
    return { kind: 'op', matches: (node) => node.op === op };
  }
  if (text.startsWith('scope:')) {
    const scope = trimSlashes(text.slice('scope:'.length));
    return byPath('scope', (path) => `${trimSlashes(path)}/`.startsWith(`${scope}/`));
  }
  if (text.startsWith(REGEX)) {
    const pattern = regexOf(text);
    const matches = (name: string | undefined): boolean => name !== undefined && pattern?.test(name) === true;
    return { kind: 'glob', matches: ({ name, partOf }) => matches(name) || matches(partOf) };
  }
  if (/[*?{[]/.test(text)) {
    const pattern = globToRegExp(text);
    return byPath('glob', (path) => pattern.test(path));
  }
  return byPath('name', (path) => path === text);
}

function byPath(kind: SelectorKind, matches: (path: string) => boolean): Selector {
  return { kind, matches: (node) => matches(pathOf(node)) || (node.partOf !== undefined && matches(node.partOf)) };
}

function trimSlashes(text: string): string {
  return text.replace(/^\/+|\/+$/g, '');
}

/** The part of a name before its last slash; '' at the top. */
export function scopeOf(name: string): string {
  const trimmed = trimSlashes(name);
  const slash = trimmed.lastIndexOf('/');
  return slash < 0 ? '' : trimmed.slice(0, slash);
}

/** What all entries together say about one node; of entries that set the same key, the stronger wins. */
export type NodeOverride = Omit<LayerOverride, 'select' | 'because'>;

/**
 * The overrides of every node that has any, by node name.
 * @throws `selector-unmatched` for an entry that means no node, with the nearest names
 */
export function resolveOverrides(
  entries: readonly LayerOverride[],
  nodes: readonly Selectable[],
): Map<string, NodeOverride> {
  const read = selectorsOf(nodes);
  const parsed = entries.map((entry) => ({ entry, selector: read(entry.select) }));
  for (const { entry, selector } of parsed) {
    if (!nodes.some((node) => selector.matches(node))) throw unmatched(entry.select, nodes);
  }
  const byStrength = SELECTOR_KINDS.flatMap((kind) => parsed.filter(({ selector }) => selector.kind === kind));
  const overrides = new Map<string, NodeOverride>();
  for (const { entry, selector } of byStrength) {
    const settings = settingsOf(entry);
    for (const node of nodes) {
      if (selector.matches(node)) overrides.set(node.name, { ...overrides.get(node.name), ...settings });
    }
  }
  return overrides;
}

/** The keys of an entry that change something, without those that are not set. */
export function settingsOf({
  quantize,
  mode,
  activations,
  weights,
  observer,
  percentile,
}: LayerOverride): NodeOverride {
  const settings = { quantize, mode, activations, weights, observer, percentile };
  // A key that is not set must not hide one that a weaker entry sets.
  return Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined));
}

function unmatched(select: string, nodes: readonly Selectable[]): QuantscopeError {
  const nearest = nearestSelectors(select, nodes);
  return new QuantscopeError(
    'selector-unmatched',
    `The selector "${select}" matches no layer.` +
      (nearest.length > 0 ? ` Did you mean ${nearest.map((name) => `"${name}"`).join(', ')}?` : ''),
  );
}

/** Up to three selectors of the same kind that match something and look like one that matches nothing. */
export function nearestSelectors(select: string, nodes: readonly Selectable[]): string[] {
  const candidates = select.startsWith('op:')
    ? [...new Set(nodes.map((node) => `op:${node.op}`))]
    : select.startsWith('scope:')
      ? [...new Set(nodes.map((node) => `scope:${scopeOf(pathOf(node))}`))].filter((scope) => scope !== 'scope:')
      : nodes.map((node) => node.name);
  return nearestNames(select, candidates);
}

/** Up to three candidates that look like `wanted`: those that contain it, then those few edits away. */
export function nearestNames(wanted: string, candidates: readonly string[]): string[] {
  const lower = wanted.toLowerCase();
  const limit = Math.max(2, Math.floor(wanted.length / 3));
  return candidates
    .map((name) => ({
      name,
      distance: name.toLowerCase().includes(lower) ? 0 : editDistance(lower, name.toLowerCase()),
    }))
    .filter(({ distance }) => distance <= limit)
    .sort((a, b) => a.distance - b.distance || (a.name < b.name ? -1 : 1))
    .slice(0, 3)
    .map(({ name }) => name);
}
