/** A small client of the language server, over the standard streams of a child process. */

import { spawn, type ChildProcess } from 'node:child_process';
import { pathToFileURL } from 'node:url';
import type { CodeAction, Diagnostic, PublishDiagnosticsParams, TextEdit } from 'vscode-languageserver';
import { TextDocument } from 'vscode-languageserver-textdocument';
import { createMessageConnection, StreamMessageReader, StreamMessageWriter } from 'vscode-jsonrpc/node';
import type { MessageConnection } from 'vscode-jsonrpc/node';

export interface ClientOptions {
  readonly initializationOptions?: unknown;
  /** Without pull diagnostics, as many editors are. */
  readonly pushes?: boolean;
  readonly settings?: { readonly threshold?: number; readonly maxFindings?: number };
}

export class LanguageClient {
  readonly child: ChildProcess;
  readonly connection: MessageConnection;
  readonly exited: Promise<number | null>;
  /** Requests by which the server asks its client to ask again. */
  readonly refreshes: string[] = [];
  readonly published: PublishDiagnosticsParams[] = [];
  readonly #options: ClientOptions;
  readonly #versions = new Map<string, number>();

  constructor(command: string, args: readonly string[], options: ClientOptions = {}) {
    this.#options = options;
    this.child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    const { stdin, stdout } = this.child;
    if (stdin === null || stdout === null) throw new Error('The server has no streams.');
    this.exited = new Promise((resolve) => this.child.on('exit', resolve));
    this.connection = createMessageConnection(new StreamMessageReader(stdout), new StreamMessageWriter(stdin));
    this.connection.onRequest((method: string, params: unknown) => {
      if (method === 'workspace/configuration') {
        return (params as { items: unknown[] }).items.map(() => this.#options.settings ?? {});
      }
      if (method.endsWith('/refresh')) this.refreshes.push(method);
      return null;
    });
    this.connection.onNotification('textDocument/publishDiagnostics', (params: PublishDiagnosticsParams) => {
      this.published.push(params);
    });
    this.connection.listen();
  }

  async initialize(): Promise<{ readonly capabilities: Readonly<Record<string, unknown>> }> {
    const pulls = this.#options.pushes !== true;
    const result = await this.request('initialize', {
      processId: process.pid,
      rootUri: null,
      initializationOptions: this.#options.initializationOptions,
      capabilities: {
        textDocument: { ...(pulls ? { diagnostic: {} } : {}), codeAction: { codeActionLiteralSupport: {} } },
        workspace: pulls ? { configuration: true, diagnostics: { refreshSupport: true } } : {},
      },
    });
    await this.connection.sendNotification('initialized', {});
    return result as { capabilities: Record<string, unknown> };
  }

  async request(method: string, params: unknown): Promise<unknown> {
    return this.connection.sendRequest(method, params);
  }

  async open(file: string, text: string): Promise<TextDocument> {
    const uri = pathToFileURL(file).toString();
    const version = (this.#versions.get(uri) ?? 0) + 1;
    this.#versions.set(uri, version);
    const document = TextDocument.create(uri, 'yaml', version, text);
    if (version === 1) {
      await this.connection.sendNotification('textDocument/didOpen', {
        textDocument: { uri, languageId: 'yaml', version, text },
      });
    } else {
      await this.connection.sendNotification('textDocument/didChange', {
        textDocument: { uri, version },
        contentChanges: [{ text }],
      });
    }
    return document;
  }

  async diagnostics({ uri }: TextDocument): Promise<readonly Diagnostic[]> {
    const report = await this.request('textDocument/diagnostic', { textDocument: { uri } });
    return (report as { items: Diagnostic[] }).items;
  }

  async actions({ uri }: TextDocument, diagnostic: Diagnostic): Promise<readonly CodeAction[]> {
    const { range } = diagnostic;
    const params = { textDocument: { uri }, range, context: { diagnostics: [diagnostic] } };
    return (await this.request('textDocument/codeAction', params)) as CodeAction[];
  }

  /** Asks about the place of the `|` in a line, or of a word. */
  async at(method: string, document: TextDocument, offset: number): Promise<unknown> {
    return this.request(method, { textDocument: { uri: document.uri }, position: document.positionAt(offset) });
  }

  async shutDown(): Promise<number | null> {
    await this.request('shutdown', undefined);
    await this.connection.sendNotification('exit');
    return this.exited;
  }
}

export function applied(document: TextDocument, action: CodeAction | undefined): string {
  const edits: TextEdit[] = action?.edit?.changes?.[document.uri] ?? [];
  return TextDocument.applyEdits(document, edits);
}

export function messageOf(diagnostic: Diagnostic | undefined): string {
  const { message = '' } = diagnostic ?? {};
  return typeof message === 'string' ? message : message.value;
}
