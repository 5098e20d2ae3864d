/** Reading a report that a run has written. */

import { readFile, stat } from 'node:fs/promises';
import * as path from 'node:path';
import { QuantscopeError, toQuantscopeError } from '../shared/errors';
import { REPORT_VERSION, type Report } from '../shared/report';

export const REPORT_FILE = 'report.json';

/**
 * @param location the file, or the folder that holds it
 * @throws `file-not-found`, `report-invalid`
 */
export async function readReport(location: string): Promise<Report> {
  let file = location;
  let value: unknown;
  try {
    if ((await stat(location)).isDirectory()) file = path.join(location, REPORT_FILE);
    value = JSON.parse(await readFile(file, 'utf8'));
  } catch (error) {
    throw toQuantscopeError(error, 'report-invalid');
  }
  if (!isObject(value) || !Array.isArray(value['layers'])) {
    throw new QuantscopeError('report-invalid', `${file} is no report.`);
  }
  if (value['version'] !== REPORT_VERSION) {
    const found = JSON.stringify(value['version']);
    throw new QuantscopeError('report-invalid', `${file} has version ${found}; this program reads ${REPORT_VERSION}.`);
  }
  // Written by this program, whose types guarantee the rest.
  return value as unknown as Report;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}
