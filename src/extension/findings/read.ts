/** What was found out about the last run of a model, as its files tell it. */

import * as vscode from 'vscode';
import { createHash } from 'node:crypto';
import { FINDING_FILES, parseFinding, type Findings } from '../../shared/findings';
import type { Report } from '../../shared/report';
import type { ModelEntry } from '../results';

export type FoundOut = { readonly [K in keyof Findings]: Findings[K] | undefined } & {
  /** Another one where anything was found out anew. */
  readonly stamp: string;
};

export const NOTHING_FOUND: FoundOut = { culprits: undefined, prices: undefined, speed: undefined, stamp: '' };

/** What is known of the fixes of a run. */
export type Known = Pick<FoundOut, 'culprits' | 'prices'>;

export async function readKnown(entry: ModelEntry, report: Report): Promise<Known> {
  const [culprits, prices] = [readFinding(entry, report, 'culprits'), readFinding(entry, report, 'prices')];
  return { culprits: await culprits, prices: await prices };
}

/** Where the paths of the run's recipe start. */
export function baseFolder({ folder, recipe }: ModelEntry, { base }: Pick<Report, 'base'>): vscode.Uri {
  return base === undefined ? vscode.Uri.joinPath(recipe, '..') : vscode.Uri.joinPath(folder, base);
}

export async function readFindings(entry: ModelEntry, report: Report): Promise<FoundOut> {
  const hash = createHash('sha256');
  const read = async <K extends keyof Findings>(kind: K): Promise<Findings[K] | undefined> => {
    const finding = await readFinding(entry, report, kind);
    if (finding !== undefined) hash.update(kind).update(JSON.stringify(finding));
    return finding;
  };
  // One after the other, so that the hash does not depend on which is read first.
  const culprits = await read('culprits');
  const prices = await read('prices');
  const speed = await read('speed');
  return { culprits, prices, speed, stamp: hash.digest('base64url') };
}

export async function readFinding<K extends keyof Findings>(
  { folder }: ModelEntry,
  report: Report,
  kind: K,
): Promise<Findings[K] | undefined> {
  try {
    const bytes = await vscode.workspace.fs.readFile(vscode.Uri.joinPath(folder, FINDING_FILES[kind]));
    return parseFinding(kind, new TextDecoder().decode(bytes), report);
  } catch {
    // Not found out yet, or not to be read: finding it again writes it anew, and says so where it cannot.
    return undefined;
  }
}
