/** Selectors that are regular expressions. */

/** Before a pattern that finds a part of a layer's name, as in PyTorch's `set_module_name_regex`; as strong as a glob. */
export const REGEX = 'regex:';

/** @returns `undefined` where the pattern is none, or {@link mayExplode} */
export function regexOf(select: string): RegExp | undefined {
  const pattern = select.slice(REGEX.length);
  try {
    const regex = new RegExp(pattern, 'u');
    return mayExplode(pattern) ? undefined : regex;
  } catch {
    return undefined;
  }
}

/** A class or an escape, which stand for one character; what begins or ends a group; `|`; a quantifier. */
const TOKEN = /\\.|\[(?:\\.|[^\]\\])*\]|\((?:\?(?:[:=!]|<[=!]|<\w+>))?|[)|]|[*+?]\??|\{\d+(?:,\d*)?\}\??|./gsu;
const ONCE = /^(?:\?|\{[01]\})/;

/**
 * Whether a group is repeated that itself repeats or branches, as in `(a+)+`: there is more than one way to read the same
 * name, and a search that goes back tries them all, which doubles with each letter. Recipes come from anywhere, and are
 * read while somebody types.
 */
export function mayExplode(pattern: string): boolean {
  const outer: boolean[] = [];
  /** Whether what is open repeats or branches, and whether the group that has just ended did. */
  let [varies, ended] = [false, false];
  for (const [token] of pattern.matchAll(TOKEN)) {
    if (/^[*+?{]/u.test(token)) {
      if (ended && !ONCE.test(token)) return true;
      varies = true;
      ended = false;
    } else if (token.startsWith('(')) {
      outer.push(varies);
      [varies, ended] = [false, false];
    } else if (token === ')') {
      ended = varies;
      varies = (outer.pop() ?? false) || varies;
    } else {
      if (token === '|') varies = true;
      ended = false;
    }
  }
  return false;
}
