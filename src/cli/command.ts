/** What a command is: data for the help, and a function from its arguments to its output. */

import { QuantscopeError, type ExitStatus } from '../shared/errors';
import type { OnProgress } from '../shared/progress';
import type { JobName, JobOptions, Jobs } from '../shared/protocol';
import { flag, parseOptions, type Options, type Values } from './options';
import type { ProgramName } from './program';
import type { Style } from './style';

/** What commands may use of the world besides files. */
export interface Services {
  readonly cwd: string;
  /** Runs a job in the engine, with progress shown and cancelled by Ctrl+C. */
  readonly run: <N extends JobName>(
    name: N,
    input: Jobs[N]['input'],
    options?: JobOptions,
    onProgress?: OnProgress,
  ) => Promise<Jobs[N]['output']>;
  /** One line for people about a job that goes on, on standard error. */
  readonly say: (line: string) => void;
  /** Runs a server on the streams of this program until the editor or agent ends it. */
  readonly serve: (name: ProgramName) => Promise<ExitStatus>;
}

/** One result in two forms: the document of `--json`, and the text for people. */
export interface Output {
  readonly json: unknown;
  readonly text: (style: Style) => string;
  /** 0 where left out. */
  readonly exit?: ExitStatus;
}

interface Spec<O extends Options> {
  readonly name: string;
  /** One line. */
  readonly summary: string;
  /** What follows the name. */
  readonly usage: string;
  readonly positional: { readonly placeholder: string; readonly many?: true; readonly help: string };
  readonly options: O;
  readonly run: (
    arguments_: { readonly files: readonly [string, ...string[]]; readonly values: Values<O> },
    services: Services,
  ) => Promise<Output>;
}

export interface Command extends Omit<Spec<Options>, 'run' | 'positional'> {
  readonly positional?: Spec<Options>['positional'];
  /** Its output, or the exit status where it has printed by itself. @throws `usage`, and what the command throws */
  run(args: readonly string[], services: Services): Promise<Output | ExitStatus>;
}

/** Options of every command; they are acted upon before the command runs. */
const COMMON = {
  json: flag('Print exactly one JSON document on standard output.'),
  help: flag('Print this help.'),
} as const;

export function defineCommand<O extends Options>(spec: Spec<O>): Command {
  const { placeholder, many } = spec.positional;
  const options = { ...spec.options, ...COMMON };
  return {
    ...spec,
    options,
    run: async (args, services) => {
      const { values, positionals } = parseOptions(args, options);
      const [first, ...rest] = positionals;
      if (first === undefined) throw new QuantscopeError('usage', `\`${spec.name}\` needs ${placeholder}.`);
      if (many !== true && rest.length > 0) {
        throw new QuantscopeError('usage', `\`${spec.name}\` takes one ${placeholder}; "${rest[0]!}" is one too many.`);
      }
      return spec.run({ files: [first, ...rest], values }, services);
    },
  };
}
