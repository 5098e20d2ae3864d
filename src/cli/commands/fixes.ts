import * as path from 'node:path';
import { readReport } from '../../core/reportFile';
import { QuantscopeError } from '../../shared/errors';
import { decibels, NOTHING, percent, printable, signed } from '../../shared/format';
import type { PricedFix, Prices } from '../../shared/price';
import { differenceText, sizeText } from '../../shared/priceText';
import { defineCommand } from '../command';
import { text, wholeNumber } from '../options';
import type { Style } from '../style';
import { facts, table, type Column } from '../table';
import { jobOptions, locateReport, toJobOptions } from './shared';

export const fixes = defineCommand({
  name: 'fixes',
  summary: 'Tries the fixes of a run, and tells what each brings and costs.',
  usage: 'RECIPE|REPORT [--layer L] [--most 8] [--samples 100] [--json]',
  positional: {
    placeholder: 'RECIPE|REPORT',
    help: 'A NAME.quant.yaml that was run, or a report.json or the folder that holds it.',
  },
  options: {
    layer: text('L', 'Only the fixes of this layer.'),
    most: wholeNumber('N', 1, 'Most fixes to try. Default 8.'),
    samples: wholeNumber('N', 1, 'Samples to judge by. Default 100.'),
    seed: wholeNumber('N', 0, 'Of the confidence intervals. Default 0.'),
    ...jobOptions,
  },
  run: async ({ files: [file], values }, { cwd, run }) => {
    const { layer, most, samples, seed } = values;
    const place = await locateReport(path.resolve(cwd, file), cwd);
    if (layer !== undefined && !(await readReport(place.report)).layers.some(({ name }) => name === layer)) {
      throw new QuantscopeError('selector-unmatched', `The report has no layer "${layer}".`);
    }
    const prices = await run(
      'prices',
      {
        ...place,
        ...(layer === undefined ? {} : { layer }),
        ...(most === undefined ? {} : { most }),
        ...(samples === undefined ? {} : { samples }),
        ...(seed === undefined ? {} : { seed }),
      },
      toJobOptions(values),
    );
    return { json: prices, text: (style) => pricesText(prices, style) };
  },
});

function pricesText({ fixes: priced, start, samples }: Prices, style: Style): string {
  const strip = facts(
    [
      ['now', `${decibels(start.sqnr)} at the worst output`],
      [
        'top-1',
        start.top1 === null || start.top1Fp32 === null
          ? undefined
          : `${percent(start.top1Fp32)} → ${percent(start.top1)}`,
      ],
      ['same class', start.agreement === null ? undefined : percent(start.agreement)],
      ['judged by', `${samples} samples; in brackets what lies inside with 95 % confidence`],
    ],
    style,
  );
  return [priced.length === 0 ? 'Nothing suggests itself.' : table(COLUMNS, priced, style), strip].join('\n\n');
}

const COLUMNS: readonly Column<PricedFix>[] = [
  { title: 'fix', value: ({ fix }) => printable(fix.title) },
  {
    title: 'output SQNR',
    value: ({ price, why }) =>
      price === null ? `not possible: ${printable(why ?? '')}` : differenceText(price.sqnr, 'dB'),
  },
  { title: 'top-1', value: ({ price }) => priced(price?.top1, 'points') },
  { title: 'same class', value: ({ price }) => priced(price?.agreement, 'points') },
  { title: 'time', value: ({ price }) => priced(price?.latency, '%', 100) },
  { title: 'size', align: 'right', value: ({ price }) => (price === null ? NOTHING : sizeText(price)) },
  {
    title: 'in int8',
    align: 'right',
    value: ({ price }) => (price === null || price.macs === 0 ? '' : `${signed(price.macs)} points`),
  },
];

function priced(
  difference: Parameters<typeof differenceText>[0] | undefined,
  unit: string,
  scale?: number,
): string | undefined {
  return difference === undefined || difference === null ? undefined : differenceText(difference, unit, scale);
}
