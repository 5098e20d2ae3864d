import * as path from 'node:path';
import { readReport } from '../../core/reportFile';
import { QuantscopeError } from '../../shared/errors';
import { defineCommand } from '../command';
import { text, wholeNumber } from '../options';
import { pricesText } from '../prices';
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
    const { layers, mode } = await readReport(place.report);
    if (layer !== undefined && !layers.some(({ name }) => name === layer)) {
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
    return { json: prices, text: (style) => pricesText(prices, mode, style) };
  },
});
