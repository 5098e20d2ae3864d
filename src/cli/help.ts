/** Help texts, made from the tables of commands and options. */

import { EXIT } from '../shared/errors';
import type { Command, Output } from './command';

const EXITS: Readonly<Record<keyof typeof EXIT, string>> = {
  ok: 'fine',
  gateFailed: 'a gate of the recipe failed',
  badInput: 'bad input or usage',
  engineFailure: 'the engine failed',
  cancelled: 'cancelled',
};

export function programHelp(commands: readonly Command[]): Output {
  const json = { commands: commands.map(({ name, summary }) => ({ name, summary })), exits: EXIT };
  return { json, text: () => programText(commands) };
}

function programText(commands: readonly Command[]): string {
  const exits = Object.entries(EXITS).map(([name, text]) => [String(EXIT[name as keyof typeof EXIT]), text] as const);
  return [
    'quantscope: quantize a model on real data and see for every layer what it costs.',
    `Usage\n  quantscope COMMAND …`,
    `Commands\n${aligned(commands.map(({ name, summary }) => [name, summary]))}`,
    `Options\n${aligned([
      ['--help', 'This text; after a command, its own.'],
      ['--version', 'The version.'],
    ])}`,
    `Exit status\n${aligned(exits)}`,
  ].join('\n\n');
}

export function commandHelp(command: Command): Output {
  const { name, summary, positional } = command;
  const options = Object.entries(command.options).map(([option, { placeholder, help }]) => {
    return { name: `--${option}`, value: placeholder ?? null, help };
  });
  return { json: { name, summary, positional: positional ?? null, options }, text: () => commandText(command) };
}

function commandText({ name, summary, usage, positional, options }: Command): string {
  const lines = Object.entries(options).map(([option, { placeholder, help }]) => {
    return [`--${option}${placeholder === undefined ? '' : ` ${placeholder}`}`, help] as const;
  });
  return [
    summary,
    `Usage\n  quantscope ${name} ${usage}`,
    ...(positional === undefined ? [] : [`Arguments\n${aligned([[positional.placeholder, positional.help]])}`]),
    `Options\n${aligned(lines)}`,
  ].join('\n\n');
}

function aligned(lines: readonly (readonly [term: string, text: string])[]): string {
  const width = Math.max(...lines.map(([term]) => term.length));
  return lines.map(([term, text]) => `  ${term.padEnd(width)}  ${text}`).join('\n');
}
