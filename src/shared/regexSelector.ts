/** Selectors that are regular expressions. */

/** Before a pattern that finds a part of a layer's name, as in PyTorch's `set_module_name_regex`; as strong as a glob. */
export const REGEX = 'regex:';

/** @returns `undefined` where the pattern is none */
export function regexOf(select: string): RegExp | undefined {
  try {
    return new RegExp(select.slice(REGEX.length), 'u');
  } catch {
    return undefined;
  }
}
