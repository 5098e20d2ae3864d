/** Which recipe belongs to which model, and where the results lie. Pure: paths with `/`, as in URIs. */

import { RESULTS_SUFFIX, type Framework } from '../shared/resultsSuffix';

export const RECIPE_NAME = /\.quant\.ya?ml$/;

/** What a recipe says of its model. */
export interface RecipeTarget {
  readonly framework: Framework;
  /** Path of the model file. */
  readonly model: string;
  /** Path of the model, or of what it is called, without an extension. */
  readonly base: string;
  /** Of PyTorch: path of the weights that the recipe names beside the model. */
  readonly weights?: string;
}

/** `net.py:build` and `package.net:build`: the factory behind the file. */
const FACTORY = /:[\w.]+$/;
const PYTHON_FILE = /\.(?:py|pt|pth|pkl|ts)$/i;

/** A file that a PyTorch model may be made from; what it holds shows only when it is read. */
export const TORCH_FILE = /\.(?:py|pt|pth)$/i;
export const PYTHON_SOURCE = /\.py$/i;

/**
 * @param file path of the recipe
 * @param recipe its text as a value, whatever that is; without a usable `model` it is taken to mean the model that has
 *   its name
 */
export function targetOf(file: string, recipe: unknown): RecipeTarget {
  const fields = typeof recipe === 'object' && recipe !== null ? (recipe as Readonly<Record<string, unknown>>) : {};
  const { model, framework, torch } = fields;
  const folder = folderOf(file);
  if (typeof model !== 'string' || model === '') return onnxTarget(file.replace(RECIPE_NAME, '.onnx'));
  if (framework !== 'torch') return onnxTarget(join(folder, model));
  const named = model.replace(FACTORY, '');
  const source = PYTHON_FILE.test(named) ? named : `${named.replaceAll('.', '/')}.py`;
  // The results of `package.net:build` lie in the folder of the recipe, those of a file beside it.
  const beside = PYTHON_FILE.test(named) ? withoutExtension(source) : (named.split('.').at(-1) ?? named);
  const weights = typeof torch === 'object' && torch !== null && 'weights' in torch ? torch.weights : undefined;
  return {
    ...{ framework: 'torch', model: join(folder, source), base: join(folder, beside) },
    ...(typeof weights === 'string' ? { weights: join(folder, weights) } : {}),
  };
}

/** What a model file is a model of. */
export function modelTarget(model: string): RecipeTarget {
  return TORCH_FILE.test(model) ? { framework: 'torch', model, base: withoutExtension(model) } : onnxTarget(model);
}

export function onnxTarget(model: string): RecipeTarget {
  return { framework: 'onnx', model, base: withoutExtension(model) };
}

/** Path of the folder of results. */
export function resultsPath({ base, framework }: RecipeTarget): string {
  return `${base}${RESULTS_SUFFIX[framework]}`;
}

/** What the recipe of a model may be called where none is there yet; the second where another model has the first. */
export function newRecipeNames({ base, framework }: RecipeTarget): readonly [first: string, second: string] {
  return [`${base}.quant.yaml`, `${base}.${framework}.quant.yaml`];
}

/** Of several recipes of one model, the one with its name comes first; the others by name. */
export function sortRecipes(recipes: readonly string[], base: string): string[] {
  const rank = (path: string): number => (path.replace(RECIPE_NAME, '') === base ? 0 : 1);
  return [...recipes].sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1));
}

/** The folder of results that a path lies in, `…/net.quant`; the innermost, where such folders lie in each other. */
export function resultsOf(path: string): string | undefined {
  return /^(.*\.quant)\//.exec(path)?.[1];
}

export function folderOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf('/')));
}

export function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

function withoutExtension(path: string): string {
  return path.replace(/\.[^./]+$/, '');
}

/** A path as a recipe writes it, relative to a folder; `..` and `\` are resolved. */
export function join(folder: string, path: string): string {
  const slashed = path.replaceAll('\\', '/');
  if (slashed.startsWith('/')) return normalize(slashed);
  // `C:/…`, which a URI writes with a slash before it.
  return normalize(/^[A-Za-z]:\//.test(slashed) ? `/${slashed}` : `${folder}/${slashed}`);
}

function normalize(path: string): string {
  const parts: string[] = [];
  for (const part of path.split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '.' && part !== '') parts.push(part);
  }
  return `/${parts.join('/')}`;
}

/** A path as a recipe in a folder writes it. */
export function relativePath(folder: string, path: string): string {
  const from = normalize(folder).split('/');
  const to = normalize(path).split('/');
  let common = 0;
  while (common < from.length && common < to.length && from[common] === to[common]) common += 1;
  return [...from.slice(common).map(() => '..'), ...to.slice(common)].join('/') || '.';
}
