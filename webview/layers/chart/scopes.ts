/** The parts of a network that layers belong to, as brackets under the axis. Pure. */

/** Neighbouring layers of the same scope. */
export interface ScopeRun {
  readonly label: string;
  readonly first: number;
  readonly last: number;
}

/** Rows of brackets at most. */
const MOST_LEVELS = 2;

/**
 * From the outermost level inwards. What all layers have in common says nothing and is left out, as are levels of
 * which there is nothing to tell.
 */
export function scopeLevels(scopes: readonly string[]): readonly (readonly ScopeRun[])[] {
  const paths = scopes.map((scope) => scope.split('/').filter((part) => part !== ''));
  const shared = commonPrefix(paths);
  const levels: ScopeRun[][] = [];
  for (let depth = shared; depth < shared + MOST_LEVELS; depth += 1) {
    const runs = runsAt(paths, shared, depth);
    // A level of single layers only repeats their names.
    if (runs.some(({ first, last }) => last > first)) levels.push(runs);
  }
  return levels;
}

function commonPrefix(paths: readonly (readonly string[])[]): number {
  const named = paths.filter((path) => path.length > 0);
  const [model] = named;
  if (model === undefined) return 0;
  let length = 0;
  while (length < model.length && named.every((path) => path[length] === model[length])) length += 1;
  // Without anything behind it, the prefix is itself the scope.
  return Math.min(length, model.length - 1);
}

function runsAt(paths: readonly (readonly string[])[], from: number, depth: number): ScopeRun[] {
  const runs: (ScopeRun & { readonly key: string })[] = [];
  paths.forEach((path, layer) => {
    const label = path[depth];
    if (label === undefined) return;
    const key = path.slice(from, depth + 1).join('/');
    const run = runs.at(-1);
    if (run?.key === key && run.last === layer - 1) runs[runs.length - 1] = { ...run, last: layer };
    else runs.push({ label, first: layer, last: layer, key });
  });
  return runs.map(({ label, first, last }) => ({ label, first, last }));
}
