/** Which layers of a PyTorch model an entry of the recipe means: paths with dots, which the common selectors split at `/`. */

import { nearestSelectors, resolveOverrides, type NodeOverride, type Selectable } from '../core/plan/selectors';
import { QuantscopeError } from '../shared/errors';
import type { LayerOverride } from '../shared/recipe';

const REGEX = 'regex:';

const slashed = (path: string): string => path.replaceAll('.', '/');

/**
 * Overrides by layer name. Besides the common selectors there is `regex:PATTERN`, which finds a part of the path, as in
 * PyTorch's own `set_module_name_regex`; it is as strong as a glob.
 * @throws `selector-unmatched`, `recipe-invalid` for a pattern that is none
 */
export function resolveTorchOverrides(
  entries: readonly LayerOverride[],
  layers: readonly Selectable[],
): Map<string, NodeOverride> {
  const names = new Map(layers.map(({ name }) => [slashed(name), name]));
  const nodes = layers.map(({ name, op }) => ({ name: slashed(name), op }));
  for (const { select } of entries) {
    if (!isMatched(select, layers, nodes)) throw unmatched(select, layers);
  }
  const expanded = entries.flatMap((entry): LayerOverride[] => {
    if (!entry.select.startsWith(REGEX)) return [{ ...entry, select: normalize(entry.select) }];
    const pattern = regexOf(entry.select);
    // A glob that only this name fits keeps the strength of globs.
    return layers
      .filter(({ name }) => pattern.test(name))
      .map(({ name }) => ({ ...entry, select: literalGlob(slashed(name)) }));
  });
  const resolved = resolveOverrides(expanded, nodes);
  return new Map([...resolved].map(([name, override]) => [names.get(name)!, override]));
}

function normalize(select: string): string {
  return select.startsWith('op:') ? select : slashed(select);
}

function literalGlob(name: string): string {
  return name.replace(/[^/]$/, (last) => `{${last}}`);
}

function regexOf(select: string): RegExp {
  const source = select.slice(REGEX.length);
  try {
    return new RegExp(source, 'u');
  } catch (error) {
    throw new QuantscopeError('recipe-invalid', `"${source}" is no regular expression.`, { cause: error });
  }
}

function isMatched(select: string, layers: readonly Selectable[], nodes: readonly Selectable[]): boolean {
  if (select.startsWith(REGEX)) {
    const pattern = regexOf(select);
    return layers.some(({ name }) => pattern.test(name));
  }
  try {
    resolveOverrides([{ select: normalize(select) }], nodes);
    return true;
  } catch {
    return false;
  }
}

function unmatched(select: string, layers: readonly Selectable[]): QuantscopeError {
  const nearest = nearestSelectors(select, layers).map((name) => `"${name}"`);
  const hint = nearest.length > 0 ? ` Did you mean ${nearest.join(', ')}?` : '';
  return new QuantscopeError('selector-unmatched', `The selector "${select}" matches no layer.${hint}`);
}
