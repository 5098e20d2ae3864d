/** The one glob dialect of the product: for data files and for layer names alike. */

/** Whether a text has any of the special characters of {@link globToRegExp}. */
export function isGlob(text: string): boolean {
  return /[*?{]/.test(text);
}

/**
 * A whole-string matcher: `*` any run without `/`, `**` any run (as a whole segment also no
 * folder at all), `?` one character but `/`, `{a,b}` either, `\x` the character x.
 * Brackets are plain characters, because layer names are full of them; an unclosed `{` is plain too.
 */
export function globToRegExp(pattern: string): RegExp {
  let source = '';
  let depth = 0;
  for (let at = 0; at < pattern.length; at++) {
    const char = pattern[at]!;
    if (char === '*') {
      const stars = /^\*+/.exec(pattern.slice(at))![0].length;
      const wholeSegment = (at === 0 || pattern[at - 1] === '/') && pattern[at + stars] === '/';
      at += stars - 1;
      if (stars === 1) source += '[^/]*';
      else if (!wholeSegment) source += '.*';
      else {
        // Repeated `**/` means the same as one; collapsing them keeps matching fast.
        while (pattern.startsWith('/**/', at + 1)) at += 3;
        source += '(?:.*/)?';
        at += 1;
      }
    } else if (char === '?') source += '[^/]';
    else if (char === '{' && closes(pattern, at)) {
      depth++;
      source += '(?:';
    } else if (char === '}' && depth > 0) {
      depth--;
      source += ')';
    } else if (char === ',' && depth > 0) source += '|';
    else {
      const escaped = char === '\\' && at + 1 < pattern.length;
      source += literal(escaped ? pattern[++at]! : char);
    }
  }
  return new RegExp(`^${source}$`, 'su');
}

/** Whether the brace at `open` has its closing brace. */
function closes(pattern: string, open: number): boolean {
  let depth = 0;
  for (let at = open; at < pattern.length; at++) {
    if (pattern[at] === '\\') at++;
    else if (pattern[at] === '{') depth++;
    else if (pattern[at] === '}' && --depth === 0) return true;
  }
  return false;
}

function literal(char: string): string {
  return /[\\^$.*+?()[\]{}|/]/.test(char) ? `\\${char}` : char;
}
