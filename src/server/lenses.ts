/** What stands between and behind the lines: code lenses, match counts, the outline. */

import { isMap, isScalar, isSeq, type Node } from 'yaml';
import type { SymbolKind } from 'vscode-languageserver';
import type { Analysis } from './analysis';
import { isStale } from './findings/report';
import { keySpan, spanOf, type Span } from './recipeText';
import { resultText } from './words';

/** Commands of the extension that the server asks for; other editors may offer some of them. */
export const CLIENT_COMMANDS = {
  run: 'quantscope.quantize',
  benchmark: 'quantscope.benchmarkPair',
  layerView: 'quantscope.openLayerView',
  tune: 'quantscope.tune',
  afterFix: 'quantscope.afterFix',
} as const;

export interface Lens {
  readonly span: Span;
  readonly title: string;
  /** A command that is called with the URI of the recipe. */
  readonly command: string;
}

/** Above `model:`. @param commands that the client knows */
export function lensesOf(analysis: Analysis, commands: ReadonlySet<string>): readonly Lens[] {
  if (analysis.recipe.model === undefined) return [];
  const span = keySpan(analysis, [], 'model');
  const { report } = analysis.facts;
  const { run, benchmark, layerView, tune } = CLIENT_COMMANDS;
  const lenses: Omit<Lens, 'span'>[] = [{ title: '$(play) Run', command: run }];
  if (mayBeTuned(analysis)) lenses.push({ title: '$(target) Tune…', command: tune });
  if (report !== undefined) {
    const result = resultText(report);
    const stale = isStale(report, analysis.recipe) ? ' (recipe changed since)' : '';
    if (report.quantized !== null) lenses.push({ title: '$(dashboard) Benchmark', command: benchmark });
    lenses.push({ title: '$(graph-scatter) Open layer view', command: layerView });
    if (result !== '') lenses.push({ title: `Last run: ${result}${stale}`, command: layerView });
  }
  return lenses.filter(({ command }) => commands.has(command)).map((lens) => ({ ...lens, span }));
}

/** A search needs ranges that can be chosen, and the runtime that says what each choice costs. */
function mayBeTuned({ recipe: { framework, mode, calibration } }: Analysis): boolean {
  return framework !== 'torch' && (mode ?? 'static') === 'static' && calibration !== undefined;
}

export interface Hint {
  readonly offset: number;
  readonly label: string;
}

/** Behind each selector, how many layers it means. */
export function hintsOf({ entries }: Analysis, { start, end }: Span): readonly Hint[] {
  return entries
    .filter(({ at }) => start <= at.end && at.end <= end)
    .flatMap(({ at, matches }) => {
      if (matches === undefined) return [];
      const count = new Set(matches.flatMap(({ name, owner, folds }) => (folds ? [] : [owner ?? name]))).size;
      return [{ offset: at.end, label: count === 0 ? 'no layer' : `${count} layer${count === 1 ? '' : 's'}` }];
    });
}

export interface Outline {
  readonly name: string;
  readonly detail: string;
  readonly kind: SymbolKind;
  readonly whole: Span;
  readonly at: Span;
  readonly children: readonly Outline[];
}

/** Numbers of the protocol (SymbolKind). */
const KIND = { block: 2, list: 18, value: 7, entry: 19 } as const;

export function outlineOf({ examined }: Analysis): readonly Outline[] {
  const contents = examined?.document.contents;
  return isMap(contents) ? outlineOfMap(contents) : [];
}

function outlineOfMap(map: Node): Outline[] {
  if (!isMap(map)) return [];
  return map.items.flatMap(({ key, value }): Outline[] => {
    if (!isScalar(key)) return [];
    const at = spanOf(key);
    const node = value as Node | null;
    const whole = { start: at.start, end: Math.max(at.end, spanOf(node).end) };
    const name = String(key.value);
    if (isSeq(node))
      return [{ name, detail: '', kind: KIND.list, whole, at, children: node.items.flatMap(outlineOfItem) }];
    if (isMap(node)) return [{ name, detail: '', kind: KIND.block, whole, at, children: outlineOfMap(node) }];
    return [{ name, detail: isScalar(node) ? String(node.value) : '', kind: KIND.value, whole, at, children: [] }];
  });
}

function outlineOfItem(item: unknown): Outline[] {
  if (!isMap(item)) return [];
  const select: unknown = item.get('select');
  if (typeof select !== 'string') return [];
  const whole = spanOf(item);
  return [{ name: select, detail: '', kind: KIND.entry, whole, at: whole, children: outlineOfMap(item) }];
}
