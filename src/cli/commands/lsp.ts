import { flag, parseOptions } from '../options';
import type { Command } from '../command';

const options = {
  stdio: flag('Speak over standard input and output, which it does anyway.'),
  help: flag('Print this help.'),
} as const;

/** Prints nothing itself: standard output belongs to the protocol. */
export const lsp: Command = {
  name: 'lsp',
  summary: 'The language server for recipes, for editors other than VS Code.',
  usage: '[--stdio]',
  options,
  run: async (args, { languageServer }) => {
    parseOptions(args, options);
    return languageServer();
  },
};
