/** The engine as the extension uses it: started when first needed, with the user's settings, its log in our channel. */

import * as vscode from 'vscode';
import * as path from 'node:path';
import { EngineClient, type RequestOptions } from '../engine/client';
import type { JobName, Jobs } from '../shared/protocol';
import { setting } from './settings';
import manifest from '../../package.json';

export class EngineHost implements vscode.Disposable {
  readonly #context: vscode.ExtensionContext;
  readonly #log: vscode.LogOutputChannel;
  #client: EngineClient | undefined;

  constructor(context: vscode.ExtensionContext, log: vscode.LogOutputChannel) {
    this.#context = context;
    this.#log = log;
  }

  /** @throws QuantscopeError as `EngineClient.request` */
  async request<N extends JobName>(
    name: N,
    input: Jobs[N]['input'],
    options: RequestOptions = {},
  ): Promise<Jobs[N]['output']> {
    this.#client ??= this.#start();
    const threads = setting('threads');
    return this.#client.request(name, input, {
      ...(threads === 0 ? {} : { threads }),
      memoryCapBytes: setting('memoryCap') * 2 ** 20,
      trusted: vscode.workspace.isTrusted,
      ...options,
    });
  }

  /** Ends the engine; the next request starts a new one. */
  async restart(): Promise<void> {
    const client = this.#client;
    this.#client = undefined;
    await client?.dispose();
  }

  dispose(): void {
    void this.restart();
  }

  #start(): EngineClient {
    return new EngineClient({
      version: manifest.version,
      entry: path.join(this.#context.extensionPath, 'dist', 'engine.js'),
      execArgv: [],
      onLog: (level, line) => {
        this.#log[level](line);
      },
    });
  }
}
