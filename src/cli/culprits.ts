/** Where the error comes from, for people: a table of blame, then the layers that make it one by one. */

import { decibels, number3, percent, plural, printable, seconds } from '../shared/format';
import {
  blamed,
  byBlame,
  suggestions,
  ERROR_SOURCES,
  VERDICT_SYMBOLS,
  VERDICTS,
  type Culprits,
  type ErrorSource,
  type LayerVerdict,
  type Verdict,
} from '../shared/verdicts';
import type { Paint, Style } from './style';
import { facts, table, type Column } from './table';

const PAINTS: Readonly<Record<Verdict, (style: Style) => Paint>> = {
  culprit: (style) => style.red,
  amplifier: (style) => style.yellow,
  victim: (style) => style.yellow,
  harmless: (style) => style.dim,
};

const COLUMNS: readonly Column<LayerVerdict>[] = [
  {
    title: 'verdict',
    value: ({ verdict }) => `${VERDICT_SYMBOLS[verdict]} ${verdict}`,
    paint: ({ verdict }, style) => PAINTS[verdict](style),
  },
  { title: 'layer', value: ({ layer }) => printable(layer) },
  { title: 'share', align: 'right', value: ({ share }) => percent(share) },
  { title: 'only it int8', align: 'right', value: ({ only }) => decibels(only) },
  { title: 'only it float', align: 'right', value: ({ without }) => decibels(without) },
  { title: 'its own error', value: ({ split }) => (split === null ? undefined : splitText(split.shares)) },
];

/** A smaller share is not worth a word. */
const WORTH = 0.1;
const SHOWN = 12;

/** `weight rounding 71 %, activation rounding 24 %` */
function splitText(shares: Readonly<Record<ErrorSource, number>>): string {
  return ERROR_SOURCES.filter((source) => shares[source] >= WORTH)
    .toSorted((a, b) => shares[b] - shares[a])
    .map((source) => `${source.replace('-', ' ')} ${Math.round(100 * shares[source])} %`)
    .join(', ');
}

/** What the data shows of the layers to blame, and of the model as a whole. */
function causesText({ causes, layers }: Culprits, style: Style): string {
  const all = [...causes, ...blamed(layers).flatMap((layer) => layer.causes)];
  return all.map(({ sentence }) => `${style.yellow('!')} ${printable(sentence)}`).join('\n');
}

/** @param folder of the results, as the user would type it */
export function culpritsText(culprits: Culprits, folder: string, style: Style): string {
  const { layers, sqnr, samples, cost } = culprits;
  const ranked = layers.toSorted(byBlame);
  const shown = ranked.slice(0, Math.max(SHOWN, ranked.filter(({ verdict }) => verdict === 'culprit').length));
  const more = ranked.length - shown.length;
  const counts = VERDICTS.map((verdict) => {
    const number = layers.filter((layer) => layer.verdict === verdict).length;
    return PAINTS[verdict](style)(`${VERDICT_SYMBOLS[verdict]} ${number} ${verdict}`);
  });
  const lines = facts(
    [
      ['verdicts', counts.join('   ')],
      ['output', `${decibels(sqnr)} at the worst of the outputs, ${plural(samples, 'sample')}`],
      [
        'cost',
        `${number3(cost.passes)} × one fp32 pass for ${plural(cost.layers, 'layer')}, ${seconds(cost.seconds)} in all`,
      ],
      ['written to', `${folder}/culprits.json`],
    ],
    style,
  );
  const found = suggestions(culprits);
  const [first] = found;
  return [
    table(COLUMNS, shown, style) + (more > 0 ? style.dim(`\nand ${plural(more, 'layer')} more, in the file`) : ''),
    causesText(culprits, style),
    ...(first === undefined
      ? []
      : [`${style.bold('Try first:')} ${printable(first.fix.title)}. ${printable(first.fix.detail)}`]),
    lines,
  ]
    .filter((part) => part !== '')
    .join('\n\n');
}
