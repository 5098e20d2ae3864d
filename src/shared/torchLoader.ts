/** A DataLoader of the user's as the data of a recipe: `file.py:loader` or `package.module:loader`. Pure. */

const IN_FILE = /^(.+\.py):[A-Za-z_]\w*$/;
const IN_PACKAGE = /^[A-Za-z_][\w.]+:[A-Za-z_]\w*$/;

/** What names the loader; `undefined` where the data are files. */
export function loaderOf(data: string | readonly string[] | undefined): string | undefined {
  const [first, ...others] = typeof data === 'string' ? [data] : (data ?? []);
  if (first === undefined || others.length > 0) return undefined;
  return IN_FILE.test(first) || isInPackage(first) ? first : undefined;
}

/** Where a loader is that no path leads to: only Python can find it. */
export function isInPackage(source: string): boolean {
  return IN_PACKAGE.test(source) && !IN_FILE.test(source);
}

/** The file of a loader; any other source as it is. */
export function loaderFile(source: string): string {
  return IN_FILE.exec(source)?.[1] ?? source;
}
