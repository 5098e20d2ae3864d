/** What a person can do about a failure, besides reading of it. Pure. */

import type { ErrorCode, ErrorData } from '../shared/errors';

export const REMEDIES = [
  'exportOnnx',
  'openRecipe',
  'selectPython',
  'installTorch',
  'showLog',
  'manageTrust',
  'openSettings',
] as const;
export type Remedy = (typeof REMEDIES)[number];

export const REMEDY_TITLES: Readonly<Record<Remedy, string>> = {
  exportOnnx: 'Export to ONNX',
  openRecipe: 'Open Recipe',
  selectPython: 'Select Interpreter',
  installTorch: 'Install in Terminal',
  showLog: 'Show Log',
  manageTrust: 'Manage Trust',
  openSettings: 'Open Settings',
};

/** Failures whose cause stands in the recipe. */
const IN_RECIPE: ReadonlySet<ErrorCode> = new Set([
  'recipe-invalid',
  'selector-unmatched',
  'data-empty',
  'data-invalid',
  'preprocess-unknown',
  'labels-invalid',
  'backend-unknown',
  'plan-impossible',
  'opset-conversion',
  'opset-unsupported',
]);

/** For what is no fault of the user's files, or where the log knows more than the message. */
const IN_LOG: ReadonlySet<ErrorCode> = new Set([
  'engine-crashed',
  'protocol-mismatch',
  'runtime-missing',
  'runtime-failed',
  'runtime-rejected',
  'torch-failed',
  'torch-untraceable',
  'torch-crashed',
  'internal',
]);

export function remediesFor({ code, hint }: ErrorData, hasRecipe: boolean): Remedy[] {
  return [
    ...(hasRecipe && code === 'torch-untraceable' ? (['exportOnnx'] as const) : []),
    ...(hasRecipe && IN_RECIPE.has(code) ? (['openRecipe'] as const) : []),
    ...(code === 'torch-missing' ? (['selectPython'] as const) : []),
    ...(installCommand(hint) === undefined ? [] : (['installTorch'] as const)),
    ...(code === 'torch-untrusted' || code === 'data-untrusted' ? (['manageTrust'] as const) : []),
    ...(code === 'out-of-memory' || hint.includes('quantscope.') ? (['openSettings'] as const) : []),
    ...(IN_LOG.has(code) ? (['showLog'] as const) : []),
  ];
}

/** The command that a hint says would install what is missing. */
export function installCommand(hint: string): string | undefined {
  return /`([^`]+ -m pip install [^`]+)`/.exec(hint)?.[1];
}

/** Of the terminal's advice, what an editor does by other means. */
const EDITOR_HINTS: Readonly<Partial<Record<ErrorCode, string>>> = {
  'selector-unmatched': 'Use one of the suggested names, or take one from the Layers view.',
  'data-untrusted': 'JavaScript data modules run code, which needs a trusted workspace.',
  'torch-untrusted': 'A PyTorch model runs Python code, which needs a trusted workspace.',
  'out-of-memory': 'Lower the memory cap in the settings, or the number of samples in the recipe.',
};

/** Lines of a message that a notification shows before it says that there are more. */
const MOST_LINES = 2;

/** What happened and what to do, as one text for a notification. */
export function failureText({ code, message, hint }: ErrorData): string {
  const lines = message.split('\n');
  const more = lines.length - MOST_LINES;
  const shown = lines.slice(0, MOST_LINES).map((line) => withoutFolder(line));
  const told = [...shown, ...(more > 0 ? [`And ${more} more.`] : [])].join(' ');
  return `${told} ${EDITOR_HINTS[code] ?? hint}`.trim();
}

export interface Place {
  readonly file: string;
  /** Both from 1. */
  readonly line: number;
  readonly column: number;
}

const PLACE = /^(.+?):(\d+):(\d+): /;

/** Where the first problem of a message lies, if it says so: `file:line:column: what is wrong`. */
export function placeIn(message: string): Place | undefined {
  const [, file, line, column] = PLACE.exec(message) ?? [];
  return file === undefined ? undefined : { file, line: Number(line), column: Number(column) };
}

/** The name of the file says enough; the path would push the message out of sight. */
function withoutFolder(line: string): string {
  const place = placeIn(line);
  if (place === undefined) return line;
  const name = place.file.slice(Math.max(place.file.lastIndexOf('/'), place.file.lastIndexOf('\\')) + 1);
  return `${name}, line ${place.line}: ${line.replace(PLACE, '')}`;
}
