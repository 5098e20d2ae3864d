/** The folder of the results: the model and its report, first without the figures that take long, then with them. */

import * as path from 'node:path';
import type { Report } from '../../shared/report';
import { replaceFiles } from '../files';
import { makeFolder } from '../folders';
import type { OnnxModel } from '../onnx/model';
import { addModel, type WrittenModel } from '../onnx/write';
import { REPORT_FILE, RUNS_FOLDER } from '../reportFile';
import { removeStaleTemporaries } from '../staleFiles';

export type MakeReport = (written: WrittenModel) => Report;

/** Makes the folder, and clears away what a killed run left on its way into it. */
export async function makeResults(outDir: string): Promise<void> {
  const runs = path.join(outDir, RUNS_FOLDER);
  await makeFolder(runs);
  for (const folder of [outDir, runs]) await removeStaleTemporaries(folder);
}

/**
 * Writes the model and, together with it, a report of what is known: a report is of the model beside it.
 * @throws what writing files throws
 */
export async function writeFirst(file: string, model: OnnxModel, report: MakeReport): Promise<WrittenModel> {
  return replaceFiles(async (files) => {
    const written = await addModel(files, file, model);
    await files.write(path.join(path.dirname(file), REPORT_FILE), textOf(report(written)));
    return written;
  });
}

/**
 * Replaces the first report by the whole one, which the list of runs gets as well.
 * @throws what writing files throws
 */
export async function writeWhole(outDir: string, report: Report): Promise<Report> {
  const text = textOf(report);
  return replaceFiles(async (files) => {
    await files.write(path.join(outDir, RUNS_FOLDER, `${report.created.replaceAll(':', '-')}.json`), text);
    await files.write(path.join(outDir, REPORT_FILE), text);
    return report;
  });
}

function textOf(report: Report): string {
  return `${JSON.stringify(report, null, 1)}\n`;
}
