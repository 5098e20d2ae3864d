/** Entries under `layers` that mean nothing, or nothing that counts. */

import { settingsOf } from '../../shared/selectors';
import { nearestTo, type Analysis, type Entry } from '../analysis';
import type { LayerNode } from '../facts';
import { plural } from '../../shared/format';
import { quoted, replaceSpan, type Finding, type Repair } from './finding';

export function selectorFindings(analysis: Analysis): Finding[] {
  const nodes = analysis.facts.model?.nodes;
  if (nodes === undefined) return analysis.entries.flatMap((entry) => emptyFinding(entry, analysis));
  return analysis.entries.flatMap((entry) => entryFinding(entry, analysis, nodes));
}

/** The first thing that is wrong; the others follow from it. */
function entryFinding(entry: Entry, analysis: Analysis, nodes: readonly LayerNode[]): Finding[] {
  const { matches = [], select, at } = entry;
  if (matches.length === 0) return [unmatched(entry, nodes)];
  if (matches.every(({ folds }) => folds)) {
    const what = plural(matches.length, 'node');
    const message = `${quoted(select)} means ${what} that will be folded into others before quantizing.`;
    return [{ code: 'selector-folded', span: at, message }];
  }
  const empty = emptyFinding(entry, analysis);
  if (empty.length > 0) return empty;
  return [...shadowed(entry, analysis), ...fused(entry, analysis)].slice(0, 1);
}

function unmatched({ select, at }: Entry, nodes: readonly LayerNode[]): Finding {
  const nearest = nearestTo(select, nodes);
  const hint = nearest.length === 0 ? '' : ` Did you mean ${nearest.map(quoted).join(', ')}?`;
  return {
    code: 'selector-unmatched',
    span: at,
    message: `The selector ${quoted(select)} matches no layer.${hint}`,
    repairs: nearest.map((name) => ({ title: `Change to ${quoted(name)}`, edits: [replaceSpan(at, name)] })),
  };
}

function emptyFinding({ override, at, select }: Entry, { entries }: Analysis): Finding[] {
  if (override === undefined || Object.keys(settingsOf(override)).length > 0) return [];
  const message = `The entry for ${quoted(select)} sets nothing.`;
  const exclude = { title: `Keep ${quoted(select)} in float`, change: excluding(select) };
  return [
    { code: 'override-empty', span: at, message, unnecessary: true, repairs: [exclude, ...removals(select, entries)] },
  ];
}

function excluding(select: string): { kind: 'override'; override: { select: string; quantize: false } } {
  return { kind: 'override', override: { select, quantize: false } };
}

/** The change takes away every entry of a selector; of two, one is to stay. */
function removals(select: string, entries: readonly Entry[]): Repair[] {
  if (entries.filter((entry) => entry.select === select).length !== 1) return [];
  return [{ title: 'Remove this entry', change: { kind: 'remove-override', select } }];
}

function shadowed(entry: Entry, { entries, overrides }: Analysis): Finding[] {
  const { override, at, select, matches = [] } = entry;
  if (override === undefined) return [];
  const keys = Object.keys(settingsOf(override));
  if (entry.effective.size === 0) {
    const winners = entries.filter(({ index }) => entry.beatenBy.has(index)).map(({ select }) => quoted(select));
    const shown = winners.length > 3 ? [...winners.slice(0, 3), `${winners.length - 3} more`] : winners;
    const message = `Nothing of this entry counts: ${shown.join(', ')} set the same for all that it matches.`;
    return [{ code: 'override-shadowed', span: at, message, unnecessary: true, repairs: removals(select, entries) }];
  }
  const included = override.quantize === true && keys.length === 1 && entry.beatenBy.size === 0;
  if (included && !entries.some((other) => other !== entry && excludesOneOf(other, matches))) {
    const message = 'Layers are quantized where the backend can, so `quantize: true` changes nothing here.';
    return [{ code: 'override-empty', span: at, message, unnecessary: true, repairs: removals(select, entries) }];
  }
  const others = keys.filter((key) => key !== 'quantize');
  if (others.length > 0 && matches.every(({ name }) => overrides.get(name)?.quantize === false)) {
    const listed = others.map((key) => `\`${key}\``).join(', ');
    const message = `${listed} ${others.length === 1 ? 'counts' : 'count'} for nothing: the layer stays in float.`;
    return [{ code: 'setting-unused', span: at, message }];
  }
  return [];
}

function excludesOneOf({ override, matches = [] }: Entry, nodes: readonly LayerNode[]): boolean {
  if (override?.quantize !== false) return false;
  const names = new Set(nodes.map(({ name }) => name));
  return matches.some(({ name }) => names.has(name));
}

/** Settings other than `quantize` are taken from the main node of a layer. */
function fused({ override, matches = [], at }: Entry, { overrides }: Analysis): Finding[] {
  if (override === undefined || override.quantize !== undefined) return [];
  const owners = new Set(matches.map(({ owner }) => owner));
  const [owner] = owners;
  if (owner === undefined || owners.has(undefined)) return [];
  if ([...owners].some((name) => overrides.get(name ?? '')?.quantize === false)) return [];
  const whose = owners.size === 1 ? `the layer ${quoted(owner)}` : 'the layers before';
  const message = `This runs inside the kernel of ${whose}, whose settings count, not these.`;
  const repair = { title: `Change to ${quoted(owner)}`, edits: [replaceSpan(at, owner)] };
  return [{ code: 'selector-fused', span: at, message, repairs: owners.size === 1 ? [repair] : [] }];
}
