/** The language server itself: which requests there are, and when clients are told to ask again. */

import { fileURLToPath } from 'node:url';
import * as path from 'node:path';
import {
  DidChangeConfigurationNotification,
  DidChangeWatchedFilesNotification,
  DocumentDiagnosticReportKind,
  ResponseError,
  TextDocuments,
  TextDocumentSyncKind,
  type CancellationToken,
  type Connection,
  type InitializeParams,
  type InitializeResult,
} from 'vscode-languageserver';
import { TextDocument } from 'vscode-languageserver-textdocument';
import { VERSION } from '../core/version';
import { analyze, type Analysis, type ServerSettings } from './analysis';
import { clientOptions, readSettings, type ClientOptions } from './clientOptions';
import { quickFixes } from './codeActions';
import { complete } from './completion';
import * as convert from './convert';
import { FactStore, NO_FACTS } from './facts';
import { findingsOf, type Finding } from './findings/index';
import { hoverAt } from './hover';
import { hintsOf, lensesOf, outlineOf } from './lenses';
import { readRecipeText, type RecipeText } from './recipeText';

/** Typing comes in bursts; clients that do not pull are told after each. */
const PUSH_DELAY_MS = 150;
/** How often files are looked at for clients that watch none. */
const POLL_MS = 2_000;

/** What the server finds by the text and the schema alone. */
const TEXT_CODES: ReadonlySet<string> = new Set(['syntax', 'unknown-key', 'missing-key', 'invalid-value']);

/** What the client can do. */
interface Abilities {
  readonly pulls: boolean;
  readonly configuration: boolean;
  readonly configurationChanges: boolean;
  readonly watches: boolean;
  readonly refreshDiagnostics: boolean;
  readonly refreshLenses: boolean;
  readonly refreshHints: boolean;
}

function abilitiesOf({ capabilities: { textDocument, workspace } }: InitializeParams): Abilities {
  return {
    pulls: textDocument?.diagnostic !== undefined,
    configuration: workspace?.configuration === true,
    configurationChanges: workspace?.didChangeConfiguration?.dynamicRegistration === true,
    watches: workspace?.didChangeWatchedFiles?.dynamicRegistration === true,
    refreshDiagnostics: workspace?.diagnostics?.refreshSupport === true,
    refreshLenses: workspace?.codeLens?.refreshSupport === true,
    refreshHints: workspace?.inlayHint?.refreshSupport === true,
  };
}

/** Every file whose change may change an answer. */
const WATCHED = ['**/*.onnx', '**/*.quant/report.json', '**/*.tsv'];

export function serve(connection: Connection): void {
  new RecipeServer(connection).listen();
}

class RecipeServer {
  readonly #connection: Connection;
  readonly #documents = new TextDocuments(TextDocument);
  readonly #facts = new FactStore(() => void this.#refresh());
  readonly #texts = new Map<string, { readonly version: number; readonly parsed: RecipeText }>();
  readonly #settings = new Map<string, Promise<ServerSettings>>();
  readonly #pushes = new Map<string, NodeJS.Timeout>();
  #options: ClientOptions = clientOptions(undefined);
  #abilities: Abilities | undefined;
  #poll: NodeJS.Timeout | undefined;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  listen(): void {
    const connection = this.#connection;
    connection.onInitialize((params) => this.#initialize(params));
    connection.onInitialized(() => void this.#register());
    connection.onShutdown(() => {
      this.#facts.close();
      clearInterval(this.#poll);
      for (const timer of this.#pushes.values()) clearTimeout(timer);
    });
    connection.onDidChangeConfiguration(({ settings }) => {
      this.#settings.clear();
      const own = (settings as { quantscope?: unknown } | null | undefined)?.quantscope;
      if (own !== undefined && this.#abilities?.configuration !== true)
        this.#options = { ...this.#options, settings: readSettings(own) };
      void this.#refresh();
    });
    connection.onDidChangeWatchedFiles(() => {
      this.#facts.refresh();
      void this.#refresh();
    });
    this.#answer();
    this.#documents.onDidChangeContent(({ document }) => {
      this.#schedulePush(document);
    });
    this.#documents.onDidSave(() => {
      this.#facts.refresh();
    });
    this.#documents.onDidClose(({ document: { uri } }) => {
      this.#texts.delete(uri);
      this.#settings.delete(uri);
      clearTimeout(this.#pushes.get(uri));
      this.#pushes.delete(uri);
      if (this.#abilities?.pulls === false) void connection.sendDiagnostics({ uri, diagnostics: [] });
    });
    this.#documents.listen(connection);
    connection.listen();
  }

  #initialize(params: InitializeParams): InitializeResult {
    this.#options = clientOptions(params.initializationOptions);
    this.#abilities = abilitiesOf(params);
    return {
      serverInfo: { name: 'quantscope', version: VERSION },
      capabilities: {
        textDocumentSync: { openClose: true, change: TextDocumentSyncKind.Incremental, save: true },
        ...(this.#abilities.pulls
          ? {
              diagnosticProvider: {
                identifier: 'quantscope',
                interFileDependencies: true,
                workspaceDiagnostics: false,
              },
            }
          : {}),
        codeActionProvider: { codeActionKinds: ['quickfix'] },
        completionProvider: { triggerCharacters: [' ', ':', '/', '"', "'"] },
        hoverProvider: true,
        codeLensProvider: {},
        inlayHintProvider: true,
        documentSymbolProvider: true,
      },
    };
  }

  async #register(): Promise<void> {
    const { client } = this.#connection;
    if (this.#abilities?.configurationChanges === true)
      await client.register(DidChangeConfigurationNotification.type, { section: 'quantscope' });
    if (this.#abilities?.watches === true) {
      const watchers = WATCHED.map((globPattern) => ({ globPattern }));
      await client.register(DidChangeWatchedFilesNotification.type, { watchers });
    } else {
      this.#poll = setInterval(() => {
        for (const document of this.#documents.all()) this.#schedulePush(document);
      }, POLL_MS).unref();
    }
  }

  #answer(): void {
    const connection = this.#connection;
    connection.languages.diagnostics.on(async ({ textDocument: { uri } }, token) => {
      const items = await this.#with(uri, token, (document, analysis) =>
        this.#findings(analysis).map((finding) => convert.toDiagnostic(document, finding, this.#options)),
      );
      return { kind: DocumentDiagnosticReportKind.Full, items: items ?? [] };
    });
    connection.onCodeAction(async ({ textDocument: { uri }, range, context }, token) => {
      if (context.only !== undefined && !context.only.some((kind) => kind === '' || kind === 'quickfix')) return [];
      return this.#with(uri, token, (document, analysis) =>
        quickFixes(analysis, findingsOf(analysis), convert.spanOfRange(document, range)).map((fix) =>
          convert.toCodeAction(document, fix, context.diagnostics, this.#options),
        ),
      );
    });
    connection.onCompletion(async ({ textDocument: { uri }, position }, token) =>
      this.#with(uri, token, async (document, { facts }) => {
        const folder = folderOf(uri);
        const { commands } = this.#options;
        const offset = document.offsetAt(position);
        const found = await complete({ text: document.getText(), offset, facts, folder, commands });
        return convert.toCompletionList(document, found);
      }),
    );
    connection.onHover(async ({ textDocument: { uri }, position }, token) =>
      this.#with(uri, token, (document, analysis) => {
        const found = hoverAt(analysis, document.offsetAt(position));
        return found === undefined ? undefined : convert.toHover(document, found);
      }),
    );
    connection.onCodeLens(async ({ textDocument: { uri } }, token) =>
      this.#with(uri, token, (document, analysis) =>
        lensesOf(analysis, this.#options.commands).map((lens) => convert.toCodeLens(document, lens)),
      ),
    );
    connection.languages.inlayHint.on(async ({ textDocument: { uri }, range }, token) =>
      this.#with(uri, token, (document, analysis) =>
        hintsOf(analysis, convert.spanOfRange(document, range)).map((hint) => convert.toInlayHint(document, hint)),
      ),
    );
    connection.onDocumentSymbol(async ({ textDocument: { uri } }, token) =>
      this.#with(uri, token, (document, analysis) =>
        outlineOf(analysis).map((outline) => convert.toSymbol(document, outline)),
      ),
    );
  }

  /** @throws RequestCancelled where the client no longer wants the answer */
  async #with<T>(
    uri: string,
    token: CancellationToken,
    answer: (document: TextDocument, analysis: Analysis) => T | Promise<T>,
  ): Promise<T | undefined> {
    const document = this.#documents.get(uri);
    if (document === undefined) return undefined;
    const analysis = await this.#analyze(document);
    if (token.isCancellationRequested) throw new ResponseError(REQUEST_CANCELLED, 'The request was cancelled.');
    // Offsets of an older text would be places of another.
    if (this.#documents.get(uri) !== document) return undefined;
    return answer(document, analysis);
  }

  async #analyze(document: TextDocument): Promise<Analysis> {
    const { uri } = document;
    const parsed = this.#parsed(document);
    const file = fileOf(uri);
    const [facts, settings] = await Promise.all([
      file === undefined ? NO_FACTS : this.#facts.of(file, parsed.recipe),
      this.#settingsFor(uri),
    ]);
    // The text may have changed in place while the files were read.
    return analyze(this.#parsed(document), facts, settings);
  }

  #parsed(document: TextDocument): RecipeText {
    const { uri, version } = document;
    const known = this.#texts.get(uri);
    if (known?.version === version) return known.parsed;
    const parsed = readRecipeText(document.getText());
    this.#texts.set(uri, { version, parsed });
    return parsed;
  }

  #findings(analysis: Analysis): readonly Finding[] {
    const found = findingsOf(analysis);
    return this.#options.schemaDiagnostics ? found : found.filter(({ code }) => !TEXT_CODES.has(code));
  }

  async #settingsFor(uri: string): Promise<ServerSettings> {
    if (this.#abilities?.configuration !== true) return this.#options.settings;
    let settings = this.#settings.get(uri);
    if (settings === undefined) {
      settings = this.#connection.workspace
        .getConfiguration({ scopeUri: uri, section: 'quantscope' })
        .then(readSettings, () => this.#options.settings);
      this.#settings.set(uri, settings);
    }
    return settings;
  }

  #schedulePush(document: TextDocument): void {
    if (this.#abilities?.pulls !== false) return;
    const { uri } = document;
    clearTimeout(this.#pushes.get(uri));
    const push = async (): Promise<void> => {
      this.#pushes.delete(uri);
      const { version } = document;
      const analysis = await this.#analyze(document);
      if (this.#documents.get(uri)?.version !== version) return;
      const diagnostics = this.#findings(analysis).map((finding) =>
        convert.toDiagnostic(document, finding, this.#options),
      );
      await this.#connection.sendDiagnostics({ uri, version, diagnostics });
    };
    this.#pushes.set(
      uri,
      setTimeout(() => void push(), PUSH_DELAY_MS),
    );
  }

  /** Lets the client ask again for everything that may have changed. */
  async #refresh(): Promise<void> {
    const { pulls, refreshDiagnostics, refreshLenses, refreshHints } = this.#abilities ?? {};
    const { languages } = this.#connection;
    if (pulls === false) for (const document of this.#documents.all()) this.#schedulePush(document);
    await Promise.allSettled([
      pulls === true && refreshDiagnostics === true ? languages.diagnostics.refresh() : undefined,
      refreshLenses === true ? this.#connection.sendRequest('workspace/codeLens/refresh') : undefined,
      refreshHints === true ? languages.inlayHint.refresh() : undefined,
    ]);
  }
}

/** LSPErrorCodes.RequestCancelled */
const REQUEST_CANCELLED = -32_800;

/** `undefined` for what lies on no disk. */
function fileOf(uri: string): string | undefined {
  try {
    return uri.startsWith('file:') ? fileURLToPath(uri) : undefined;
  } catch {
    return undefined;
  }
}

function folderOf(uri: string): string | undefined {
  const file = fileOf(uri);
  return file === undefined ? undefined : path.dirname(file);
}
