/** What a report says of lines of Python: which layers stand where, found again in a file that has changed. Pure. */

import { printable } from '../../shared/format';
import { layerFigure, layerSentence, worstLayers } from '../../shared/problems';
import type { Recipe } from '../../shared/recipe';
import type { LayerReport, Report, SourceLine } from '../../shared/report';
import { selectorsOf, withSlashes, type Selectable } from '../../shared/selectors';

/** Where a module is built says more than where it is called: helpers and loops call many from one line. */
export function placeOf({ source }: { readonly source?: LayerReport['source'] | undefined }): SourceLine | undefined {
  return source?.built ?? source?.called;
}

/**
 * The line, from 0, where a place of the run is now: where its text still stands, else the nearest with the same text;
 * `undefined` where that was rewritten.
 */
export function findLine(lines: readonly string[], { line, text }: SourceLine): number | undefined {
  const at = line - 1;
  if (text === undefined || text === '') return at < lines.length ? at : undefined;
  let nearest: number | undefined;
  for (const [index, candidate] of lines.entries()) {
    if (candidate.trim() !== text) continue;
    if (nearest === undefined || Math.abs(index - at) < Math.abs(nearest - at)) nearest = index;
  }
  return nearest;
}

/** The problems of a report by source file. */
export type ProblemsByFile = ReadonlyMap<string, readonly LayerReport[]>;

export interface Limits {
  readonly threshold: number;
  readonly maxFindings: number;
}

/**
 * Worst first, and no more than the setting allows in all files together.
 * @param recipe as it is now: what it has been changed about counts as dealt with
 */
export function problemsByFile(report: Report, recipe: Recipe | undefined, limits: Limits): ProblemsByFile {
  const isOpen = openIn(report, recipe);
  const files = new Map<string, LayerReport[]>();
  const shown = worstLayers(report, limits.threshold)
    .filter((layer) => placeOf(layer) !== undefined && isOpen(layer))
    .slice(0, limits.maxFindings);
  for (const layer of shown) {
    const { file } = placeOf(layer)!;
    files.set(file, [...(files.get(file) ?? []), layer]);
  }
  return files;
}

/** Whether a layer is one that the recipe says the same of as in the run. */
function openIn({ recipe: then, layers }: Report, now: Recipe | undefined): (layer: LayerReport) => boolean {
  const entries = (recipe: Recipe | undefined): Set<string> =>
    new Set((recipe?.layers ?? []).map((entry) => JSON.stringify({ ...entry, because: undefined })));
  const [before, after] = [entries(then), entries(now ?? then)];
  const changed = [...before, ...after].filter((entry) => !before.has(entry) || !after.has(entry));
  const read = selectorsOf(layers.map(selectable));
  const selectors = changed.map((entry) => read((JSON.parse(entry) as { readonly select: string }).select));
  return (layer) => !selectors.some(({ matches }) => matches(selectable(layer)));
}

function selectable({ name, op }: LayerReport): Selectable {
  return { name, op, path: withSlashes(name) };
}

/** What is shown at one place. */
export interface SourceProblem {
  /** From 0, as columns. */
  readonly line: number;
  readonly start: number;
  readonly end: number;
  /** The worst first. */
  readonly layers: readonly LayerReport[];
  readonly message: string;
}

/** Layers named in one message. */
const MOST_NAMED = 4;

/** One for each place, since a loop or a helper builds many layers on one line. */
export function problemsIn(
  lines: readonly string[],
  layers: readonly LayerReport[],
  threshold: number,
): SourceProblem[] {
  const places = new Map<string, { line: number; span: Span; layers: LayerReport[] }>();
  for (const layer of layers) {
    const place = placeOf(layer);
    const line = place === undefined ? undefined : findLine(lines, place);
    if (line === undefined) continue;
    const span = spanOf(lines[line]!, layer);
    const key = `${line} ${span.start}`;
    const found = places.get(key) ?? { line, span, layers: [] };
    found.layers.push(layer);
    places.set(key, found);
  }
  return [...places.values()].map(({ line, span, layers: found }) => {
    return { line, ...span, layers: found, message: messageFor(found, threshold) };
  });
}

interface Span {
  readonly start: number;
  readonly end: number;
}

/** The class, function or attribute that the layer is called by; the whole line where it says none of them. */
function spanOf(text: string, { name, op }: LayerReport): Span {
  const attribute = name.slice(name.lastIndexOf('.') + 1).replace(/@\d+$/, '');
  for (const word of [op, attribute]) {
    if (!/^\w+$/.test(word)) continue;
    const found = new RegExp(`(?:\\w+\\.)*\\b${word}\\b`).exec(text);
    if (found !== null) return { start: found.index, end: found.index + found[0].length };
  }
  const start = text.length - text.trimStart().length;
  return { start, end: Math.max(start, text.trimEnd().length) };
}

function messageFor(layers: readonly LayerReport[], threshold: number): string {
  const [first, ...others] = layers;
  if (first === undefined) return '';
  const own = `"${printable(first.name)}" ${layerSentence(first, threshold)}`;
  if (others.length === 0) return own;
  const named = others.slice(0, MOST_NAMED).map((layer) => `"${printable(layer.name)}" ${layerFigure(layer)}`);
  const left = others.length - named.length;
  return `${own} From here also: ${named.join(', ')}${left > 0 ? ` and ${left} more` : ''}.`;
}
