/** The tools for agents, over the Model Context Protocol. */

import { readFile } from 'node:fs/promises';
import * as path from 'node:path';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { writeFileAtomic } from '../../core/files';
import { readFinding } from '../../core/findingFiles';
import { readRecipe } from '../../core/recipeFile';
import { readReport, resultFolder } from '../../core/reportFile';
import type { EngineClient } from '../../engine/client';
import type { AgentHost } from '../../shared/agents/host';
import { AGENT_TOOL_NAMES, AGENT_TOOLS, callTool } from '../../shared/agents/tools';
import { locateReport } from '../commands/shared';
import { resultsFolder } from '../../core/resultsFolder';

export interface McpServices {
  readonly cwd: string;
  readonly version: string;
  readonly engine: Pick<EngineClient, 'request'>;
}

/** @returns a server with every tool, not connected yet */
export function mcpServer({ version, ...services }: McpServices): McpServer {
  const server = new McpServer({ name: 'quantscope', version });
  for (const name of AGENT_TOOL_NAMES) {
    const { title, description, effect, input } = AGENT_TOOLS[name];
    server.registerTool(
      name,
      { title, description, inputSchema: input.shape, annotations: { readOnlyHint: effect !== 'writes' } },
      async (given: unknown, { signal }: { readonly signal: AbortSignal }) => {
        const { text, failed } = await callTool(name, given, terminalHost(services, signal));
        return { content: [{ type: 'text', text }], isError: failed };
      },
    );
  }
  return server;
}

/** Code that a recipe names is never run: an agent may have written the recipe. */
function terminalHost({ cwd, engine }: Omit<McpServices, 'version'>, signal: AbortSignal): AgentHost {
  const absolute = (file: string): string => path.resolve(cwd, file);
  return {
    absolute,
    report: async (place) => {
      const { report: file, baseDir } = await locateReport(absolute(place), cwd);
      const report = await readReport(file);
      return { report, file, baseDir, finding: (kind) => readFinding(resultFolder(file), report, kind) };
    },
    recipe: async (place) => {
      const file = absolute(place);
      const { recipe } = await readRecipe(file);
      const baseDir = path.dirname(file);
      const outDir = resultsFolder(path.resolve(baseDir, recipe.model), recipe.framework);
      return { file, recipe, baseDir, outDir, text: await readFile(file, 'utf8') };
    },
    write: ({ file }, text) => writeFileAtomic(file, text),
    run: (name, input) => engine.request(name, input, { signal }),
  };
}
