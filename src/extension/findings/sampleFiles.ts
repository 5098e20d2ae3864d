/** Where the file of a sample may lie, told from its id and the sources of its data. Pure; paths with `/`. */

import { join } from '../entries';

const GLOB = /[*?[\]{}]/;
/** `many.npz#3`: the third sample of a file. */
const INDEX = /#\d+$/;

/**
 * Ids of samples are paths below the source that holds them: below a folder, or below the part of a glob without
 * special characters; of a source that is a file, its name; and where two sources have such a path, all of it.
 * @param folder that the sources start from
 * @returns the likeliest first; at most one of them exists
 */
export function sampleFiles(sources: string | readonly string[], folder: string, id: string): string[] {
  const named = id.replace(INDEX, '');
  const below = [sources].flat().flatMap((source) => {
    const path = source.replaceAll('\\', '/');
    const parts = path.split('/');
    const special = parts.findIndex((part) => GLOB.test(part));
    if (special !== -1) return [join(folder, [...parts.slice(0, special), named].join('/'))];
    return parts.at(-1) === named
      ? [join(folder, path), join(folder, `${path}/${named}`)]
      : [join(folder, `${path}/${named}`)];
  });
  return named.startsWith('/') || /^[a-z]:\//i.test(named) ? [named, ...below] : below;
}
