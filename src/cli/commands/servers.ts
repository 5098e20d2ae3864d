import type { Command } from '../command';
import { flag, parseOptions } from '../options';
import type { ProgramName } from '../program';

const options = {
  stdio: flag('Speak over standard input and output, which it does anyway.'),
  help: flag('Print this help.'),
} as const;

/** Prints nothing itself: standard output belongs to the protocol. */
function serverCommand(name: ProgramName, summary: string): Command {
  return {
    name,
    summary,
    usage: '[--stdio]',
    options,
    run: async (args, { serve }) => {
      parseOptions(args, options);
      return serve(name);
    },
  };
}

export const lsp = serverCommand('lsp', 'The language server for recipes, for editors other than VS Code.');

export const mcp = serverCommand('mcp', 'The same jobs as tools for agents, over the Model Context Protocol.');
