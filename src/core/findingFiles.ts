/** The files of findings beside a report: reading what a run has, and adding to it. */

import { readFile } from 'node:fs/promises';
import * as path from 'node:path';
import { FINDING_FILES, mergePrices, parseFinding, type Findings } from '../shared/findings';
import type { Prices } from '../shared/price';
import type { Report } from '../shared/report';
import { writeFileAtomic } from './files';

/** `undefined` where there is none yet, or that of another run. */
export async function readFinding<K extends keyof Findings>(
  folder: string,
  report: Report,
  kind: K,
): Promise<Findings[K] | undefined> {
  try {
    return parseFinding(kind, await readFile(path.join(folder, FINDING_FILES[kind]), 'utf8'), report);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** @throws `disk-full`, `file-unwritable` */
export async function writeFinding<K extends keyof Findings>(
  folder: string,
  kind: K,
  finding: Findings[K],
): Promise<void> {
  await writeFileAtomic(path.join(folder, FINDING_FILES[kind]), `${JSON.stringify(finding, null, 1)}\n`);
}

/** Adds what was measured to what is known of the same run. */
export async function keepPrices(folder: string, report: Report, prices: Prices): Promise<void> {
  await writeFinding(folder, 'prices', mergePrices(report, await readFinding(folder, report, 'prices'), prices));
}
