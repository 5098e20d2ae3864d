/** Everything there is to say about a recipe. Pure. */

import type { Analysis } from '../analysis';
import { backendFindings } from './backend';
import { fileFindings } from './files';
import type { Finding } from './finding';
import { reportFindings } from './report';
import { selectorFindings } from './selectors';
import { textFindings } from './text';
import { torchFindings } from './torch';

export type { Finding, Repair } from './finding';

export function findingsOf(analysis: Analysis): readonly Finding[] {
  const parts = [textFindings, fileFindings, selectorFindings, backendFindings, torchFindings, reportFindings];
  return parts.flatMap((part) => part(analysis));
}
