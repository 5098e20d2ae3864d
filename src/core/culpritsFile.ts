/** Reading the culprits that were found after a run. */

import { readFile } from 'node:fs/promises';
import * as path from 'node:path';
import type { Report } from '../shared/report';
import type { Culprits } from '../shared/verdicts';

/** Beside the report. */
export const CULPRITS_FILE = 'culprits.json';

/** `undefined` where there are none yet, or those of another run. */
export async function readCulprits(folder: string, report: Report): Promise<Culprits | undefined> {
  let text: string;
  try {
    text = await readFile(path.join(folder, CULPRITS_FILE), 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  const culprits = JSON.parse(text) as Culprits;
  return culprits.report === report.created ? culprits : undefined;
}
