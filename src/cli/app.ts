/** The terminal program without the process around it: arguments in, two streams and an exit status out. */

import type { EngineClient } from '../engine/client';
import { didYouMean } from '../shared/closest';
import { EXIT, QuantscopeError, toQuantscopeError, type ExitStatus } from '../shared/errors';
import { COMMANDS } from './commands';
import type { Command, Output, Services } from './command';
import { printable, printableLines } from '../shared/format';
import { commandHelp, programHelp } from './help';
import type { ProgramName } from './program';
import { progressLine, type LineOutput } from './progressLine';
import { styleFor } from './style';

export interface Terminal {
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly stdout: LineOutput;
  readonly stderr: LineOutput;
  /** Aborted by Ctrl+C. */
  readonly signal: AbortSignal;
  readonly version: string;
  readonly engine: Pick<EngineClient, 'request' | 'dispose'>;
  readonly serve: (name: ProgramName, signal: AbortSignal) => Promise<ExitStatus>;
}

/** Runs one command line. Never throws: every failure is printed and becomes an exit status. */
export async function runCli(argv: readonly string[], terminal: Terminal): Promise<ExitStatus> {
  const { stdout, stderr, env } = terminal;
  const options = beforeTerminator(argv);
  const json = options.includes('--json');
  const progress = progressLine(stderr);
  const services: Services = {
    cwd: terminal.cwd,
    run: (name, input, jobOptions = {}, onProgress) =>
      terminal.engine.request(name, input, {
        ...jobOptions,
        signal: terminal.signal,
        onProgress: (now) => {
          progress.show(now);
          onProgress?.(now);
        },
      }),
    say: (line) => {
      progress.clear();
      if (!json) stderr.write(`${printable(line)}\n`);
    },
    serve: (name) => terminal.serve(name, terminal.signal),
  };
  try {
    const output = await dispatch(argv, options, terminal, services);
    progress.clear();
    if (typeof output === 'number') return output;
    stdout.write(json ? `${JSON.stringify(output.json)}\n` : `${output.text(styleFor(stdout.isTTY, env))}\n`);
    // A cancelled job may still have something to show, but whoever started it must not take it for done.
    if (terminal.signal.aborted) return EXIT.cancelled;
    return output.exit ?? EXIT.ok;
  } catch (error) {
    progress.clear();
    const known = toQuantscopeError(error);
    if (json) stdout.write(`${JSON.stringify({ error: known.toData() })}\n`);
    else stderr.write(errorText(known, styleFor(stderr.isTTY, env).red));
    return known.exit;
  } finally {
    await terminal.engine.dispose();
  }
}

/** Help or version where that is asked for, else what a command returns. */
async function dispatch(
  argv: readonly string[],
  options: readonly string[],
  { version }: Terminal,
  services: Services,
): Promise<Output | ExitStatus> {
  const [name, ...args] = argv;
  const help = options.includes('--help') || options.includes('-h');
  if (name === undefined) throw new QuantscopeError('usage', 'No command is given.');
  if (name === '--version' || name === '-v') return { json: { version }, text: () => version };
  if (help && name.startsWith('-')) return programHelp(COMMANDS);
  const command = findCommand(name);
  return help ? commandHelp(command) : command.run(args, services);
}

function findCommand(name: string): Command {
  const found = COMMANDS.find((command) => command.name === name);
  if (found !== undefined) return found;
  const names = COMMANDS.map((command) => command.name);
  throw new QuantscopeError(
    'usage',
    `There is no command "${name}"; there are ${names.join(', ')}.${didYouMean(name, names)}`,
  );
}

function errorText({ code, message, hint }: QuantscopeError, paint: (text: string) => string): string {
  return `${paint(`error ${code}:`)} ${printableLines(message)}\n  ${printableLines(hint)}\n`;
}

/** Arguments after `--` are never options. */
function beforeTerminator(argv: readonly string[]): readonly string[] {
  const end = argv.indexOf('--');
  return end < 0 ? argv : argv.slice(0, end);
}
