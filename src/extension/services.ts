/** What the features share. Each feature is one file that exports `register…(services): vscode.Disposable`. */

import * as vscode from 'vscode';
import type { CommandId } from './ids';
import { EngineHost } from './engineHost';
import { showFailure } from './failures';
import { BackgroundPrices } from './findings/backgroundPrices';
import { JobRunner } from './jobs/jobRunner';
import { ResultStore } from './results';
import { Selection } from './selection';

export interface Services {
  dispose(): void;
  readonly context: vscode.ExtensionContext;
  readonly log: vscode.LogOutputChannel;
  readonly engine: EngineHost;
  /** What people have started; quick questions go to `engine` alone. */
  readonly jobs: JobRunner;
  /** Fixes that are tried without being asked for. */
  readonly prices: BackgroundPrices;
  readonly results: ResultStore;
  readonly selection: Selection;
}

export function createServices(context: vscode.ExtensionContext): Services {
  const log = vscode.window.createOutputChannel('Quantscope', { log: true });
  const engine = new EngineHost(context, log);
  const jobs = new JobRunner(log);
  const results = new ResultStore();
  const prices = new BackgroundPrices({ engine, jobs, results, log, memory: context.workspaceState });
  const selection = new Selection();
  return {
    context,
    log,
    engine,
    jobs,
    prices,
    results,
    selection,
    dispose: () => {
      for (const part of [prices, jobs, engine, results, selection, log]) part.dispose();
    },
  };
}

type Handler = (...args: unknown[]) => unknown;

/** Commands of a feature, as a table. What they are called with is whatever a menu or another extension passes. */
export function registerCommands(handlers: Partial<Readonly<Record<CommandId, Handler>>>): vscode.Disposable {
  return vscode.Disposable.from(
    ...Object.entries(handlers).map(([id, handler]) => vscode.commands.registerCommand(id, handler)),
  );
}

/** The same for commands that may fail: what they throw is shown, since the person who ran them waits for it. */
export function registerUserCommands(
  handlers: Partial<Readonly<Record<CommandId, (...args: unknown[]) => Promise<unknown>>>>,
): vscode.Disposable {
  return vscode.Disposable.from(
    ...Object.entries(handlers).map(([id, handler]) =>
      vscode.commands.registerCommand(id, async (...args: unknown[]) => {
        try {
          return await handler(...args);
        } catch (error) {
          await showFailure(error);
          return undefined;
        }
      }),
    ),
  );
}
