import * as path from 'node:path';
import { resultFolder } from '../../core/reportFile';
import type { Culprits } from '../../shared/verdicts';
import { defineCommand } from '../command';
import { culpritsText } from '../culprits';
import { wholeNumber } from '../options';
import { pathFrom } from '../summary';
import { jobOptions, locateReport, toJobOptions } from './shared';

export const culprits = defineCommand({
  name: 'culprits',
  summary: 'Where the error of a quantized model comes from, and why.',
  usage: 'RECIPE|REPORT [--samples N] [--json]',
  positional: {
    placeholder: 'RECIPE|REPORT',
    help: 'A NAME.quant.yaml that was run, or a report.json or the folder that holds it.',
  },
  options: { samples: wholeNumber('N', 1, 'Samples that every layer is tried on. Default 16.'), ...jobOptions },
  run: async ({ files: [file], values }, { cwd, run }) => {
    const { samples } = values;
    const place = await locateReport(path.resolve(cwd, file), cwd);
    const found: Culprits = await run(
      'culprits',
      { ...place, ...(samples === undefined ? {} : { samples }) },
      toJobOptions(values),
    );
    const folder = pathFrom(cwd, resultFolder(place.report));
    return { json: found, text: (style) => culpritsText(found, folder, style) };
  },
});
