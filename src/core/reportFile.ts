/** Reading a report that a run has written. */

import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import * as path from 'node:path';
import { toQuantscopeError } from '../shared/errors';
import type { Report } from '../shared/report';
import { parseReport } from '../shared/reportText';

export const REPORT_FILE = 'report.json';
/** Earlier reports lie in this folder of the results. */
export const RUNS_FOLDER = 'runs';

/** The folder of the results that a report, of the last run or of an earlier one, belongs to. */
export function resultFolder(report: string): string {
  const folder = path.dirname(report);
  return path.basename(folder) === RUNS_FOLDER ? path.dirname(folder) : folder;
}

/** What a report says of the folder that the paths of its recipe start from: both may move together. */
export function baseOf(results: string, baseDir: string): string {
  return path.relative(results, path.resolve(baseDir)).replaceAll(path.sep, '/') || '.';
}

/** The folder that the paths of its recipe start from; `undefined` for a report of a version that did not say. */
export function recipeFolder(file: string, { base }: Report): string | undefined {
  return base === undefined ? undefined : path.resolve(resultFolder(path.resolve(file)), base);
}

/** False where the int8 model is of another run, as after a run that was killed while it wrote its results. */
export async function quantizedIsCurrent({ quantized }: Report): Promise<boolean> {
  if (quantized?.sha256 === undefined) return true;
  const hash = createHash('sha256');
  try {
    for await (const chunk of createReadStream(quantized.path)) hash.update(chunk as Uint8Array);
  } catch {
    // Gone or unreadable is told by whoever needs it.
    return true;
  }
  return hash.digest('hex') === quantized.sha256;
}

/**
 * @param location the file, or the folder that holds it
 * @throws `file-not-found`, `report-invalid`
 */
export async function readReport(location: string): Promise<Report> {
  let file = location;
  let text: string;
  try {
    if ((await stat(location)).isDirectory()) file = path.join(location, REPORT_FILE);
    text = await readFile(file, 'utf8');
  } catch (error) {
    throw toQuantscopeError(error, 'report-invalid');
  }
  return parseReport(text, file);
}
