/**
 * The engine as the extension uses it: started when first needed, with the user's settings, its log in our channel.
 * Quick questions have a process of their own, so that they are answered while a quantization runs. So has what nobody
 * has asked for: a kernel that runs cannot be interrupted, and a person would wait for it.
 */

import * as vscode from 'vscode';
import * as path from 'node:path';
import type { EngineClient, RequestOptions } from '../engine/client';
import { QuantscopeError } from '../shared/errors';
import type { JobName, Jobs } from '../shared/protocol';
import type { Recipe } from '../shared/recipe';
import { RECIPE_NAME, TORCH_FILE } from './entries';
import { interpreterFor } from './python/interpreters';
import { onSettingChange, setting } from './settings';
import { version } from '../../package.json';

const QUICK_JOBS: ReadonlySet<JobName> = new Set(['inspect', 'details']);

type Lane = 'work' | 'quick' | 'background';

export class EngineHost implements vscode.Disposable {
  readonly #context: vscode.ExtensionContext;
  readonly #log: vscode.LogOutputChannel;
  readonly #clients = new Map<Lane, Promise<EngineClient>>();
  readonly #subscription: vscode.Disposable;
  #pending = 0;
  #outdated = false;

  constructor(context: vscode.ExtensionContext, log: vscode.LogOutputChannel) {
    this.#context = context;
    this.#log = log;
    this.#subscription = onSettingChange(['engine.node'], () => {
      this.#outdated = true;
      this.#renew();
    });
  }

  /** @throws QuantscopeError as `EngineClient.request` */
  request<N extends JobName>(
    name: N,
    input: Jobs[N]['input'],
    options: RequestOptions = {},
  ): Promise<Jobs[N]['output']> {
    return this.#request(QUICK_JOBS.has(name) ? 'quick' : 'work', name, input, options);
  }

  /** The same at low priority, in a process that ends with the job. One at a time. */
  async requestInBackground<N extends JobName>(
    name: N,
    input: Jobs[N]['input'],
    options: RequestOptions,
  ): Promise<Jobs[N]['output']> {
    try {
      return await this.#request('background', name, input, options);
    } finally {
      const client = this.#clients.get('background');
      this.#clients.delete('background');
      void client?.then((started) => started.dispose());
    }
  }

  async #request<N extends JobName>(
    lane: Lane,
    name: N,
    input: Jobs[N]['input'],
    options: RequestOptions,
  ): Promise<Jobs[N]['output']> {
    const threads = setting('threads');
    this.#pending += 1;
    try {
      const client = await this.#client(lane);
      const python = usesPython(input) ? await interpreterFor(vscode.Uri.file(input.baseDir)) : undefined;
      return await client.request(name, input, {
        ...(python === undefined ? {} : { python }),
        ...(threads === 0 ? {} : { threads }),
        memoryCapBytes: setting('memoryCap') * 2 ** 20,
        trusted: vscode.workspace.isTrusted,
        ...options,
      });
    } catch (error) {
      throw explained(error);
    } finally {
      this.#pending -= 1;
      this.#renew();
    }
  }

  /** Ends the engines; jobs under way are cancelled. The next request starts a new one. */
  async restart(): Promise<void> {
    const clients = [...this.#clients.values()];
    this.#clients.clear();
    this.#outdated = false;
    await Promise.all(clients.map(async (client) => (await client).dispose()));
  }

  dispose(): void {
    this.#subscription.dispose();
    void this.restart();
  }

  /** Another Node program is only taken when no job would be lost for it. */
  #renew(): void {
    if (this.#outdated && this.#pending === 0) void this.restart();
  }

  #client(lane: Lane): Promise<EngineClient> {
    const known = this.#clients.get(lane);
    if (known !== undefined) return known;
    const client = this.#start(lane);
    this.#clients.set(lane, client);
    return client;
  }

  async #start(lane: Lane): Promise<EngineClient> {
    const { EngineClient } = await import('./engineLibrary');
    const node = setting('engine.node');
    return new EngineClient({
      version,
      entry: path.join(this.#context.extensionPath, 'dist', 'engine.js'),
      execArgv: [],
      background: lane === 'background',
      ...(node === '' ? {} : { execPath: node }),
      onLog: (level, line) => {
        this.#log[level](line);
      },
    });
  }
}

function usesPython(input: object): input is { readonly baseDir: string } {
  if (!('baseDir' in input)) return false;
  const { recipe, models = [] } = input as { readonly recipe?: Recipe; readonly models?: readonly string[] };
  return recipe?.framework === 'torch' || models.some((model) => RECIPE_NAME.test(model) || TORCH_FILE.test(model));
}

/** A Node program of the user's own is the likeliest cause where an engine does not start. */
function explained(error: unknown): unknown {
  const node = setting('engine.node');
  if (node === '' || !(error instanceof QuantscopeError) || error.code !== 'engine-crashed') return error;
  const hint = `The setting quantscope.engine.node names ${node}: make it a Node of version 20 or newer, or leave it empty.`;
  return new QuantscopeError(error.code, error.message, { hint, cause: error });
}
