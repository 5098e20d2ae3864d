/** Our terms as those of the language server protocol. */

import type {
  CodeAction,
  CodeLens,
  CompletionList,
  Diagnostic,
  DocumentSymbol,
  Hover,
  InlayHint,
  Range,
  TextEdit,
} from 'vscode-languageserver';
import type { TextDocument } from 'vscode-languageserver-textdocument';
import type { TextChange } from '../shared/recipeEdit';
import type { QuickFix } from './codeActions';
import { CODES } from './codes';
import type { Completion } from './completion';
import type { Finding } from './findings/index';
import type { HoverText } from './hover';
import { CLIENT_COMMANDS, type Hint, type Lens, type Outline } from './lenses';
import type { ClientOptions } from './clientOptions';
import type { Span } from './recipeText';

/** DiagnosticTag.Unnecessary, InlayHintKind.Type and CodeActionKind.QuickFix of the protocol. */
const UNNECESSARY = 1;
const HINT_TYPE = 1;
const QUICK_FIX = 'quickfix';

export function rangeOf(document: TextDocument, { start, end }: Span): Range {
  return { start: document.positionAt(start), end: document.positionAt(end) };
}

export function spanOfRange(document: TextDocument, { start, end }: Range): Span {
  return { start: document.offsetAt(start), end: document.offsetAt(end) };
}

export function toDiagnostic(document: TextDocument, finding: Finding, { docs }: ClientOptions): Diagnostic {
  const { code, span, message, severity, unnecessary } = finding;
  return {
    range: rangeOf(document, span),
    severity: severity ?? CODES[code].severity,
    source: 'quantscope',
    code,
    codeDescription: { href: `${docs}/diagnostics.md#${code}` },
    message,
    ...(unnecessary === true ? { tags: [UNNECESSARY] } : {}),
  };
}

function toEdits(document: TextDocument, changes: readonly TextChange[]): TextEdit[] {
  return changes.map(({ text, ...span }) => ({ range: rangeOf(document, span), newText: text }));
}

export function toCodeAction(
  document: TextDocument,
  { title, edits, preferred, finding, fix }: QuickFix,
  given: readonly Diagnostic[],
  options: ClientOptions,
): CodeAction {
  const { uri } = document;
  const answered =
    finding === undefined
      ? []
      : given.filter(({ code, message }) => code === finding.code && message === finding.message);
  const command = CLIENT_COMMANDS.afterFix;
  const follows = fix !== undefined && options.commands.has(command);
  return {
    title,
    kind: QUICK_FIX,
    ...(answered.length === 0 ? {} : { diagnostics: answered }),
    ...(preferred ? { isPreferred: true } : {}),
    edit: { changes: { [uri]: toEdits(document, edits) } },
    ...(follows ? { command: { title, command, arguments: [uri, fix, finding?.layer ?? null] } } : {}),
  };
}

export function toCompletionList(document: TextDocument, { items, span, incomplete }: Completion): CompletionList {
  const range = rangeOf(document, span);
  return {
    isIncomplete: incomplete,
    items: items.map(({ insertText, ...item }) => {
      return { ...item, textEdit: { range, newText: insertText ?? item.label } };
    }),
  };
}

export function toHover(document: TextDocument, { markdown, span }: HoverText): Hover {
  return { contents: { kind: 'markdown', value: markdown }, range: rangeOf(document, span) };
}

export function toCodeLens(document: TextDocument, { span, title, command }: Lens): CodeLens {
  return { range: rangeOf(document, span), command: { title, command, arguments: [document.uri] } };
}

export function toInlayHint(document: TextDocument, { offset, label }: Hint): InlayHint {
  return { position: document.positionAt(offset), label, kind: HINT_TYPE, paddingLeft: true };
}

export function toSymbol(document: TextDocument, outline: Outline): DocumentSymbol {
  const { name, detail, kind, whole, at, children } = outline;
  return {
    name: name === '' ? '""' : name,
    detail,
    kind,
    range: rangeOf(document, whole),
    selectionRange: rangeOf(document, at),
    children: children.map((child) => toSymbol(document, child)),
  };
}
