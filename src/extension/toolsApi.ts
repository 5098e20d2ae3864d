/** Language-model tools of VS Code 1.95 and newer, which the types of the oldest version that we run in do not know. */

import * as vscode from 'vscode';

export interface ToolInvocation {
  readonly input: unknown;
}

export interface LanguageModelTool {
  prepareInvocation(invocation: ToolInvocation): {
    readonly invocationMessage: string;
    readonly confirmationMessages?: { readonly title: string; readonly message: string };
  };
  invoke(invocation: ToolInvocation, token: vscode.CancellationToken): Promise<object>;
}

export interface ToolsApi {
  readonly registerTool: (name: string, tool: LanguageModelTool) => vscode.Disposable;
  /** A result with one text. */
  readonly result: (text: string) => object;
}

interface Newer {
  readonly lm?: { readonly registerTool?: ToolsApi['registerTool'] };
  readonly LanguageModelTextPart?: new (text: string) => object;
  readonly LanguageModelToolResult?: new (parts: readonly object[]) => object;
}

/** `undefined` in an editor without such tools. */
export function toolsApi(): ToolsApi | undefined {
  const { lm, LanguageModelTextPart: Text, LanguageModelToolResult: Result } = vscode as unknown as Newer;
  if (lm?.registerTool === undefined || Text === undefined || Result === undefined) return undefined;
  return {
    registerTool: (name, tool) => lm.registerTool!(name, tool),
    result: (text) => new Result([new Text(text)]),
  };
}
