/** Command lines to be copied: arguments as a shell takes them unchanged. */

import { printable } from '../shared/format';

/** Means itself in every shell. */
const PLAIN = /^[\w@%+=:,./-]+$/;
const PLAIN_WINDOWS = /^[\w@+=:,./\\-]+$/;

/**
 * One argument, quoted where the shell would read it as something else: in single quotes for POSIX
 * (nothing is special there but the quote itself), in double ones for Windows, which knows no others.
 */
export function shellQuote(argument: string, platform: NodeJS.Platform = process.platform): string {
  if (platform === 'win32') {
    if (PLAIN_WINDOWS.test(argument)) return argument;
    // Backslashes count only before a quote: https://learn.microsoft.com/cpp/c-language/parsing-c-command-line-arguments
    return `"${argument.replace(/(\\*)"/g, '$1$1\\"').replace(/(\\+)$/, '$1$1')}"`;
  }
  return PLAIN.test(argument) ? argument : `'${argument.replaceAll("'", "'\\''")}'`;
}

/** `quantscope` with its arguments, safe to print and to paste. */
export function commandLine(...args: readonly string[]): string {
  return printable(['quantscope', ...args.map((argument) => shellQuote(argument))].join(' '));
}

/** A file as an argument: a name with a dash in front would be taken for an option. */
export function fileArgument(file: string): string {
  return file.startsWith('-') ? `./${file}` : file;
}
