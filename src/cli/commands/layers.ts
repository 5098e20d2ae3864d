import * as path from 'node:path';
import { readReport } from '../../core/reportFile';
import { defineCommand } from '../command';
import { sortLayers, SORTS } from '../../shared/layerOrder';
import { countStrip, layerTable, reasonLegend, STATUSES } from '../layers';
import { choice } from '../options';
import { locateReport } from './shared';

export const layers = defineCommand({
  name: 'layers',
  summary: 'The layer table of a report.',
  usage: 'REPORT [--sort sqnr|order|time] [--status S] [--json]',
  positional: {
    placeholder: 'REPORT',
    help: 'A NAME.quant.yaml that was run, or a report.json or the folder that holds it.',
  },
  options: {
    sort: choice('KEY', SORTS, 'sqnr: worst first; time: slowest first. Default order.'),
    status: choice('S', STATUSES, 'Only layers of this status.'),
  },
  run: async ({ files: [file], values }, { cwd }) => {
    const report = await readReport((await locateReport(path.resolve(cwd, file), cwd)).report);
    const wanted = report.layers.filter(({ status }) => values.status === undefined || status === values.status);
    const sorted = sortLayers(wanted, values.sort ?? 'order');
    return {
      json: { counts: report.counts, layers: sorted },
      text: (style) =>
        [layerTable(sorted, style), reasonLegend(sorted, style), countStrip(report, style)]
          .filter((part) => part !== '')
          .join('\n\n'),
    };
  },
});
