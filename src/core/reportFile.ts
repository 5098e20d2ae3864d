/** Reading a report that a run has written. */

import { readFile, stat } from 'node:fs/promises';
import * as path from 'node:path';
import { toQuantscopeError } from '../shared/errors';
import type { Report } from '../shared/report';
import { parseReport } from '../shared/reportText';

export const REPORT_FILE = 'report.json';

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
