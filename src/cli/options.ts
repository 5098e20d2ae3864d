/** The options of a command as data: how each is read, and what its help says. */

import { parseArgs } from 'node:util';
import { parse as parseYaml } from 'yaml';
import { MOST_THREADS } from '../core/runtime/threads';
import { describeIssues } from '../shared/recipeIssues';
import { didYouMean } from '../shared/closest';
import { QuantscopeError, type ErrorCode } from '../shared/errors';
import { PREPROCESS_PRESETS, preprocessSchema, type Recipe } from '../shared/recipe';

export interface Option<T> {
  /** What stands for the value in the help; a switch has none. */
  readonly placeholder?: string;
  readonly help: string;
  /** @param values as given, `undefined` where the option is absent */
  readonly read: (values: readonly string[] | undefined, flag: string) => T;
}

export type Options = Readonly<Record<string, Option<unknown>>>;
export type Values<O extends Options> = { readonly [K in keyof O]: ReturnType<O[K]['read']> };

function usage(message: string): QuantscopeError {
  return new QuantscopeError('usage', message);
}

export function flag(help: string): Option<boolean> {
  return { help, read: (values) => values !== undefined };
}

/** An option with one value; the last one given counts. */
function single<T>(placeholder: string, help: string, read: (text: string, flag: string) => T): Option<T | undefined> {
  return {
    placeholder,
    help,
    read: (values, name) => {
      const text = values?.at(-1);
      return text === undefined ? undefined : read(text, name);
    },
  };
}

export function text(placeholder: string, help: string): Option<string | undefined> {
  return single(placeholder, help, (value, name) => {
    if (value === '') throw usage(`--${name} needs a value.`);
    return value;
  });
}

export function required<T>(option: Option<T | undefined>): Option<T> {
  return {
    ...option,
    read: (values, name) => {
      const value = option.read(values, name);
      if (value === undefined) throw usage(`--${name} ${option.placeholder ?? ''} is missing.`);
      return value;
    },
  };
}

/** May be given several times. */
export function list(placeholder: string, help: string): Option<readonly string[]> {
  return { placeholder, help: `${help} May be repeated.`, read: (values) => values ?? [] };
}

/** At least once. */
export function several(option: Option<readonly string[]>): Option<readonly string[]> {
  return {
    ...option,
    read: (values, name) => {
      const read = option.read(values, name);
      if (read.length === 0) throw usage(`--${name} ${option.placeholder ?? ''} is missing.`);
      return read;
    },
  };
}

export function choice<T extends string>(
  placeholder: string,
  choices: readonly T[],
  help: string,
  code: ErrorCode = 'usage',
): Option<T | undefined> {
  return single(placeholder, `${help} One of ${choices.join(', ')}.`, (value, name) => {
    const found = choices.find((candidate) => candidate === value);
    if (found !== undefined) return found;
    throw new QuantscopeError(
      code,
      `--${name} must be one of ${choices.join(', ')}, not "${value}".${didYouMean(value, choices)}`,
    );
  });
}

export function wholeNumber(
  placeholder: string,
  smallest: number,
  help: string,
  largest = Number.MAX_SAFE_INTEGER,
): Option<number | undefined> {
  return single(placeholder, help, (value, name) => {
    const read = Number(value);
    if (/^\d+$/.test(value) && read >= smallest && read <= largest) return read;
    const most = largest === Number.MAX_SAFE_INTEGER ? '' : ` and at most ${largest}`;
    throw usage(`--${name} must be a whole number of at least ${smallest}${most}, not "${value}".`);
  });
}

/** Threads inside one operator, as many as this machine bears. */
export function threads(help = ''): Option<number | undefined> {
  return wholeNumber('N', 1, `Threads inside one operator, at most ${MOST_THREADS} here.${help}`, MOST_THREADS);
}

export function number(placeholder: string, help: string): Option<number | undefined> {
  return single(placeholder, help, (value, name) => {
    const read = Number(value);
    if (value.trim() !== '' && Number.isFinite(read)) return read;
    throw usage(`--${name} must be a number, not "${value}".`);
  });
}

const UNITS: Readonly<Record<string, number>> = {
  '': 1,
  B: 1,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  KIB: 2 ** 10,
  MIB: 2 ** 20,
  GIB: 2 ** 30,
};

/** A size such as `512MB`, in bytes. */
export function byteSize(placeholder: string, help: string): Option<number | undefined> {
  return single(placeholder, help, (value, name) => {
    const [, amount, unit] = /^(\d+(?:\.\d+)?)\s*([KMG]?I?B)?$/i.exec(value) ?? [];
    const factor = UNITS[(unit ?? '').toUpperCase()];
    const size = amount === undefined || factor === undefined ? 0 : Math.floor(Number(amount) * factor);
    if (size > 0) return size;
    throw usage(`--${name} must be a size such as 512MB or 2GB, not "${value}".`);
  });
}

/** A preset name, or the recipe's `preprocess` block as JSON or YAML. */
export function preprocess(): Option<Recipe['preprocess']> {
  const help = `How an image becomes the input: ${PREPROCESS_PRESETS.join(', ')}, or the recipe's block as JSON or YAML.`;
  return single('P', help, (value, name) => parsePreprocess(value, name));
}

function parsePreprocess(value: string, name: string): NonNullable<Recipe['preprocess']> {
  let parsed: unknown;
  try {
    parsed = parseYaml(value);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw usage(`--${name} is neither a preset nor JSON or YAML: ${why}`);
  }
  if (typeof parsed === 'string') {
    const preset = PREPROCESS_PRESETS.find((candidate) => candidate === parsed);
    if (preset !== undefined) return preset;
    throw new QuantscopeError(
      'preprocess-unknown',
      `No preset is named "${parsed}"; there are ${PREPROCESS_PRESETS.join(', ')}.${didYouMean(parsed, PREPROCESS_PRESETS)}`,
    );
  }
  const result = preprocessSchema.safeParse(parsed);
  if (result.success) return result.data;
  const problems = describeIssues(result.error.issues, preprocessSchema, parsed).map(({ message }) => message);
  throw usage(`--${name}: ${problems.join(' ')}`);
}

/** Input shapes, `NAME=1x3x224x224`. */
export function shapes(help: string): Option<Readonly<Record<string, readonly number[]>>> {
  const option = list('NAME=DIMS', help);
  return {
    ...option,
    read: (values, name) =>
      Object.fromEntries(
        option.read(values, name).map((value) => {
          const [, input, dims] = /^(.+)=(\d+(?:[x×,]\d+)*)$/.exec(value) ?? [];
          if (input === undefined || dims === undefined) {
            throw usage(`--${name} must look like NAME=1x3x224x224, not "${value}".`);
          }
          return [input, dims.split(/[x×,]/).map(Number)] as const;
        }),
      ),
  };
}

export interface ParsedArguments<O extends Options> {
  readonly values: Values<O>;
  readonly positionals: readonly string[];
}

/** @throws `usage` and what the options themselves throw */
export function parseOptions<O extends Options>(args: readonly string[], options: O): ParsedArguments<O> {
  const names = Object.keys(options);
  const { tokens } = parseArgs({
    args: [...args],
    // Checked below, for messages that suggest what was meant.
    strict: false,
    tokens: true,
    options: Object.fromEntries(
      names.map((name) => [name, { type: options[name]?.placeholder === undefined ? 'boolean' : 'string' } as const]),
    ),
  });
  const given = new Map<string, string[]>();
  const positionals: string[] = [];
  for (const token of tokens) {
    if (token.kind === 'positional') positionals.push(token.value);
    if (token.kind !== 'option') continue;
    const { name, rawName, value, inlineValue } = token;
    const option = Object.hasOwn(options, name) && rawName.startsWith('--') ? options[name] : undefined;
    if (option === undefined) {
      throw usage(
        `There is no option ${rawName}.${didYouMean(
          rawName,
          names.map((known) => `--${known}`),
        )}`,
      );
    }
    if (option.placeholder === undefined) {
      if (value !== undefined) throw usage(`--${name} takes no value.`);
    } else if (value === undefined || (!inlineValue && value.startsWith('--'))) {
      throw usage(`--${name} needs a value: --${name} ${option.placeholder}.`);
    }
    given.set(name, [...(given.get(name) ?? []), value ?? '']);
  }
  const values = Object.fromEntries(names.map((name) => [name, options[name]!.read(given.get(name), name)]));
  return { values: values as Values<O>, positionals };
}
