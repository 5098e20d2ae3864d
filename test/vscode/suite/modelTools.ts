/** Calls the language-model tools of the extension as an agent of this VS Code does. */

import * as vscode from 'vscode';

/** What VS Code 1.95 and newer have, and the types of our oldest do not know. */
interface LanguageModels {
  readonly tools: readonly { readonly name: string }[];
  readonly invokeTool: (
    name: string,
    options: { readonly input: object; readonly toolInvocationToken: undefined },
    token?: vscode.CancellationToken,
  ) => Promise<{ readonly content: readonly { readonly value: string }[] }>;
}
const models = vscode.lm as unknown as Partial<LanguageModels>;
export const hasTools = models.invokeTool !== undefined;

export function toolNames(): ReadonlySet<string> {
  return new Set(models.tools?.map(({ name }) => name));
}

export async function callTool(name: string, input: object): Promise<Readonly<Record<string, unknown>>> {
  const options = { input, toolInvocationToken: undefined };
  const { content } = await models.invokeTool!(`quantscope_${name}`, options);
  return JSON.parse(content[0]?.value ?? '') as Readonly<Record<string, unknown>>;
}
