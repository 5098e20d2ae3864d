/** What a key means, what a value means, and the figures of the layers a selector means. */

import type { LayerReport, Report } from '../shared/report';
import { REASONS } from '../shared/reasons';
import { VERDICT_SYMBOLS, type LayerVerdict } from '../shared/verdicts';
import type { Analysis, Entry } from './analysis';
import { percent, plural } from '../shared/format';
import { isStale } from './findings/report';
import { placeAt, spanOf, type Span } from './recipeText';
import { keyInfo, kindOf, lastKey } from './schema';
import { meaningOf, resultText, statusText } from './words';
import { measuredText, sqnrOf } from '../shared/measured';

export interface HoverText {
  readonly markdown: string;
  readonly span: Span;
}

export function hoverAt(analysis: Analysis, offset: number): HoverText | undefined {
  const { examined } = analysis;
  const place = examined === undefined ? undefined : placeAt(examined, offset);
  if (place === undefined) return undefined;
  const span = spanOf(place.node);
  const markdown = place.on === 'key' ? keyText(place.path) : valueText(place.path, analysis, offset);
  return markdown === undefined ? undefined : { markdown, span };
}

function keyText(path: readonly PropertyKey[]): string | undefined {
  const info = keyInfo(path);
  if (info === undefined) return undefined;
  const name = path.filter((part) => typeof part === 'string').join('.');
  return `**${name}**: ${kindOf(info.schema)}\n\n${info.description}`;
}

function valueText(path: readonly PropertyKey[], analysis: Analysis, offset: number): string | undefined {
  const key = lastKey(path);
  if (key === 'select') return selectorText(analysis, offset);
  if (path.length === 1 && key === 'model') return modelText(analysis);
  const value = analysis.examined?.document.getIn(path);
  const meaning = meaningOf(key, String(value));
  return meaning === undefined ? keyText(path) : `**${String(value)}**: ${meaning}`;
}

function modelText({ facts, recipe }: Analysis): string | undefined {
  const { report, model } = facts;
  if (report !== undefined) {
    const { quantized, float, fallback } = report.counts;
    const counts = `■ ${quantized} int8, ○ ${float} float, ▲ ${fallback} fallback`;
    const old = isStale(report, recipe) ? '\n\nThe recipe has been changed since.' : '';
    return `**Last run**: ${resultText(report)}\n\n${counts}\n\n${report.created.slice(0, 16).replace('T', ' ')} UTC, ${report.environment.runtime}${old}`;
  }
  if (model?.nodes === undefined) return undefined;
  const what = plural(model.nodes.length, 'node');
  return `${what}, opset ${model.opset ?? 'unknown'}. It has not been quantized as it is now.`;
}

const MOST_ROWS = 12;

function selectorText({ entries, facts }: Analysis, offset: number): string | undefined {
  const entry = entries.find(({ at }) => at.start <= offset && offset <= at.end);
  if (entry?.matches === undefined) return undefined;
  const head = `Matches ${plural(entry.matches.length, 'node')}.`;
  const { report } = facts;
  if (report === undefined) return [head, ...namesText(entry)].join('\n\n');
  const layers = layersOf(entry, report);
  const verdicts = new Map(facts.culprits?.layers.map((verdict) => [verdict.layer, verdict]));
  const judged = verdicts.size > 0;
  const shown = layers.slice(0, MOST_ROWS).map((layer) => rowText(layer, judged ? verdicts.get(layer.name) : null));
  const heads = ['layer', 'status', 'own SQNR', 'accumulated', ...(judged ? ['verdict', 'share of the error'] : [])];
  const rule = ['---', '---', '---:', '---:', ...(judged ? ['---', '---:'] : [])];
  const table = [heads, rule]
    .map((cells) => `| ${cells.join(' | ')} |`)
    .concat(shown)
    .join('\n');
  const more = layers.length > MOST_ROWS ? [`And ${layers.length - MOST_ROWS} more.`] : [];
  const [only] = layers;
  const why = layers.length === 1 && only !== undefined ? whyText(only, verdicts.get(only.name)) : [];
  return [head, ...(layers.length === 0 ? [] : [table]), ...why, ...more].join('\n\n');
}

function whyText({ reason }: LayerReport, verdict: LayerVerdict | undefined): string[] {
  if (reason !== null) return [REASONS[reason].sentence];
  return verdict === undefined ? [] : [verdict.why];
}

function namesText({ matches = [] }: Entry): string[] {
  const shown = matches.slice(0, MOST_ROWS).map(({ name, op }) => `- ${code(name)} ${code(op)}`);
  const more = matches.length > MOST_ROWS ? `\n- and ${matches.length - MOST_ROWS} more` : '';
  return shown.length === 0 ? [] : [shown.join('\n') + more];
}

/** The layers that have a node of the entry, the worst first. */
function layersOf({ matches = [] }: Entry, { layers }: Report): readonly LayerReport[] {
  const names = new Set(matches.map(({ name }) => name));
  const own = layers.filter(({ nodes }) => nodes.some((name) => names.has(name)));
  return own.toSorted((a, b) => (sqnrOf(a.local) ?? Infinity) - (sqnrOf(b.local) ?? Infinity));
}

/** @param verdict `null` where nobody has asked, `undefined` for a layer that has none */
function rowText(layer: LayerReport, verdict: LayerVerdict | null | undefined): string {
  const local = measuredText(layer.local);
  const accumulated = measuredText(layer.accumulated);
  const judged =
    verdict === null
      ? []
      : verdict === undefined
        ? ['–', '–']
        : [`${VERDICT_SYMBOLS[verdict.verdict]} ${verdict.verdict}`, percent(verdict.share)];
  return `| ${[code(layer.name), statusText(layer), local, accumulated, ...judged].join(' | ')} |`;
}

/** A name out of a model as Markdown that can only be text. */
function code(name: string): string {
  const text = Array.from(name.slice(0, 120), (char) => (char < ' ' ? ' ' : char)).join('');
  const fence = '`'.repeat(Math.max(0, ...Array.from(text.matchAll(/`+/g), ([run]) => run.length)) + 1);
  const padded = text.startsWith('`') || text.endsWith('`') ? ` ${text} ` : text;
  return `${fence}${padded.replaceAll('|', '\\|')}${fence}`;
}
