/**
 * What is true of the files that a recipe names: the model's layers, the last report, whether data is
 * there. Read once and again when they change; never longer waited for than typing allows.
 */

import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import * as path from 'node:path';
import { listSource } from '../core/data/files';
import { isGlob } from '../shared/glob';
import { readFinding } from '../core/findingFiles';
import { withSlashes } from '../shared/selectors';
import { readReport, REPORT_FILE } from '../core/reportFile';
import { resultsFolder } from '../core/resultsFolder';
import { toQuantscopeError } from '../shared/errors';
import { FINDING_FILES, type Findings, type KeptPrices } from '../shared/findings';
import type { Report } from '../shared/report';
import type { Framework } from '../shared/resultsSuffix';
import { isInPackage, loaderFile } from '../shared/torchLoader';
import type { Culprits } from '../shared/verdicts';
import { readStructure, type ModelStructure } from './modelStructure';
import type { LooseRecipe } from './recipeText';

/** A node that selectors can mean. */
export interface LayerNode {
  readonly name: string;
  readonly op: string;
  /** What selectors read where that is not the name: of PyTorch's paths with dots, the same with slashes. */
  readonly path?: string;
  /** Gone before quantizing. */
  readonly folds: boolean;
  /** The layer whose kernel it is part of, where it is not the main node. */
  readonly owner?: string;
}

export interface ModelFacts {
  /** Absolute. */
  readonly file: string;
  /** `unknown`: it is being read, or is Python, which is not run for this. */
  readonly state: 'ok' | 'missing' | 'unreadable' | 'unknown';
  readonly problem?: string;
  readonly opset?: number | undefined;
  /** In graph order; `undefined` as long as they are not known. */
  readonly nodes?: readonly LayerNode[];
}

export type PathState = 'there' | 'missing' | 'empty';

export interface Facts {
  /** `undefined` where the recipe names no model, or lies on no disk. */
  readonly model?: ModelFacts;
  /** The last report, if it is of the model as it is now. */
  readonly report?: Report;
  /** Where its error comes from, if somebody has asked. */
  readonly culprits?: Culprits;
  /** What was measured of its fixes. */
  readonly prices?: KeptPrices;
  /** By path as the recipe writes it. */
  readonly paths: ReadonlyMap<string, PathState>;
}

export const NO_FACTS: Facts = { paths: new Map() };

/** So long an answer waits for a file; after that it does without, and is asked for again. */
const PATIENCE_MS = 250;
/** One keystroke brings several requests, which need not look again each. */
const FRESH_MS = 400;
/** Folders looked into for a first file. */
const MOST_FOLDERS = 200;

export const SYNTHETIC = 'synthetic';

/** Of `net.py:build`, what follows the file. */
const FACTORY = /:[\w.]+$/;
const PYTHON_FILE = /\.(?:py|pt|pth|pkl|ts)$/i;

interface Stamp {
  readonly size: number;
  readonly mtimeMs: number;
}

interface Cached<T> extends Stamp {
  readonly promise: Promise<T>;
  /** Set once the promise is fulfilled. */
  value?: T;
}

type ModelRead =
  { readonly structure: ModelStructure; readonly nodes: readonly LayerNode[] } | { readonly problem: string };

export class FactStore {
  readonly #onChange: () => void;
  readonly #models = new Map<string, Cached<ModelRead>>();
  readonly #reports = new Map<string, Cached<Report | undefined>>();
  /** By file, whose name says which of the findings it holds. */
  readonly #findings = new Map<string, Cached<Findings[keyof Findings] | undefined>>();
  readonly #hashes = new Map<string, Cached<string>>();
  readonly #nodes = new WeakMap<Report, readonly LayerNode[]>();
  readonly #recent = new Map<string, { readonly until: number; readonly facts: Promise<Facts> }>();
  readonly #closed = new AbortController();

  /** @param onChange called when something that was waited for in vain is known */
  constructor(onChange: () => void) {
    this.#onChange = onChange;
  }

  /** @param recipeFile absolute path */
  async of(recipeFile: string, recipe: LooseRecipe): Promise<Facts> {
    const { model, framework, normalize } = recipe;
    const key = JSON.stringify([
      recipeFile,
      model,
      framework,
      recipe.torch?.weights,
      normalize,
      recipe.calibration?.data,
      recipe.validate,
    ]);
    const known = this.#recent.get(key);
    if (known !== undefined && known.until > Date.now()) return known.facts;
    for (const [other, { until }] of this.#recent) if (until <= Date.now()) this.#recent.delete(other);
    const facts = this.#look(recipeFile, recipe);
    this.#recent.set(key, { until: Date.now() + FRESH_MS, facts });
    return facts;
  }

  /** Looks at the files again at the next question. */
  refresh(): void {
    this.#recent.clear();
  }

  close(): void {
    this.#closed.abort();
  }

  async #look(recipeFile: string, recipe: LooseRecipe): Promise<Facts> {
    const folder = path.dirname(recipeFile);
    const paths = await pathStates(folder, recipe);
    if (recipe.model === undefined) return { paths };
    const torch = recipe.framework === 'torch';
    const file = path.resolve(folder, torch ? recipe.model.replace(FACTORY, '') : recipe.model);
    const stamp = await stampOf(file);
    if (stamp === undefined) {
      // `package.module:factory` is found by Python alone.
      const named = torch && !PYTHON_FILE.test(file);
      return { paths, model: { file, state: named ? 'unknown' : 'missing' } };
    }
    const report = await this.#reportOf(file, torch ? 'torch' : 'onnx', stamp);
    const [culprits, prices] =
      report === undefined
        ? []
        : await Promise.all([this.#findingOf(file, report, 'culprits'), this.#findingOf(file, report, 'prices')]);
    const run = {
      ...(report === undefined ? {} : { report }),
      ...(culprits === undefined ? {} : { culprits }),
      ...(prices === undefined ? {} : { prices }),
    };
    if (report !== undefined && sameJson(report.recipe.normalize, recipe.normalize)) {
      const { opset } = report.model;
      return { paths, ...run, model: { file, state: 'ok', opset, nodes: this.#nodesOf(report) } };
    }
    const model: ModelFacts = torch ? { file, state: 'unknown' } : await this.#modelOf(file, stamp);
    return { paths, ...run, model };
  }

  async #modelOf(file: string, stamp: Stamp): Promise<ModelFacts> {
    const read = await this.#cached(this.#models, file, stamp, () => this.#readModel(file));
    if (read === undefined) return { file, state: 'unknown' };
    if ('problem' in read) return { file, state: 'unreadable', problem: read.problem };
    return { file, state: 'ok', opset: read.structure.opset, nodes: read.nodes };
  }

  async #readModel(file: string): Promise<ModelRead> {
    try {
      const structure = await readStructure(file, this.#closed.signal);
      return { structure, nodes: structure.nodes };
    } catch (error) {
      return { problem: toQuantscopeError(error).message };
    }
  }

  async #findingOf<K extends 'culprits' | 'prices'>(
    model: string,
    report: Report,
    kind: K,
  ): Promise<Findings[K] | undefined> {
    const folder = resultsFolder(model, report.framework);
    const file = path.join(folder, FINDING_FILES[kind]);
    const stamp = await stampOf(file);
    if (stamp === undefined) return undefined;
    const cache = this.#findings as Map<string, Cached<Findings[K] | undefined>>;
    const found = await this.#cached(cache, file, stamp, () => readFinding(folder, report, kind));
    return found?.report === report.created ? found : undefined;
  }

  async #reportOf(model: string, framework: Framework, stamp: Stamp): Promise<Report | undefined> {
    const file = path.join(resultsFolder(model, framework), REPORT_FILE);
    const reportStamp = await stampOf(file);
    if (reportStamp === undefined) return undefined;
    const report = await this.#cached(this.#reports, file, reportStamp, () => readReport(file).catch(() => undefined));
    return report !== undefined && (await this.#isOf(report, model, stamp)) ? report : undefined;
  }

  /**
   * Whether a report is of the model as it is: unchanged since the run, or with the same contents. Of a model with
   * external data only the time is known without reading everything.
   */
  async #isOf({ created, model: { bytes, sha256 } }: Report, file: string, stamp: Stamp): Promise<boolean> {
    if (bytes < stamp.size) return false;
    if (stamp.mtimeMs <= Date.parse(created)) return true;
    if (bytes !== stamp.size) return false;
    return (await this.#cached(this.#hashes, file, stamp, () => hashOf(file, this.#closed.signal))) === sha256;
  }

  #nodesOf(report: Report): readonly LayerNode[] {
    const known = this.#nodes.get(report);
    if (known !== undefined) return known;
    const nodes = report.layers.flatMap(({ name, op, fused, nodes }) =>
      nodes.map((node, index): LayerNode => {
        const path = report.framework === 'torch' ? { path: withSlashes(node) } : {};
        const part = { name: node, op: index === 0 ? op : (fused[index - 1] ?? ''), folds: false, ...path };
        return index === 0 ? part : { ...part, owner: name };
      }),
    );
    this.#nodes.set(report, nodes);
    return nodes;
  }

  /** The value for this version of a file, or `undefined` where making it takes longer than patience lasts. */
  async #cached<T>(
    cache: Map<string, Cached<T>>,
    file: string,
    stamp: Stamp,
    make: () => Promise<T>,
  ): Promise<T | undefined> {
    let entry = cache.get(file);
    if (entry?.size !== stamp.size || entry.mtimeMs !== stamp.mtimeMs) {
      const fresh: Cached<T> = { ...stamp, promise: make() };
      entry = fresh;
      cache.set(file, fresh);
      fresh.promise.then(
        (value) => {
          fresh.value = value;
        },
        () => cache.delete(file),
      );
    }
    if (entry.value !== undefined) return entry.value;
    const late = Symbol('late');
    const first = await Promise.race([entry.promise.catch(() => late), after(PATIENCE_MS, late)]);
    if (typeof first !== 'symbol') return first;
    const tell = (): void => {
      this.refresh();
      if (!this.#closed.signal.aborted) this.#onChange();
    };
    entry.promise.then(tell, () => undefined);
    return undefined;
  }
}

async function stampOf(file: string): Promise<Stamp | undefined> {
  const found = await stat(file).catch(() => undefined);
  return found?.isFile() === true ? { size: found.size, mtimeMs: found.mtimeMs } : undefined;
}

async function after<T>(milliseconds: number, value: T): Promise<T> {
  return new Promise((resolve) => {
    setTimeout(resolve, milliseconds, value).unref();
  });
}

async function hashOf(file: string, signal: AbortSignal): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(file, { signal })) hash.update(chunk as Uint8Array);
  return hash.digest('hex');
}

/** Every path of a recipe that has to lead to data. */
export function dataPaths({ calibration, validate, framework, torch }: LooseRecipe): string[] {
  const sources = [calibration?.data, validate?.data].flat();
  const weights = framework === 'torch' ? torch?.weights : undefined;
  return [...sources, validate?.labels, weights].filter(
    (source) => source !== undefined && source !== SYNTHETIC && !(framework === 'torch' && isInPackage(source)),
  ) as string[];
}

async function pathStates(folder: string, recipe: LooseRecipe): Promise<Map<string, PathState>> {
  const fileOf = (source: string): string => (recipe.framework === 'torch' ? loaderFile(source) : source);
  const states = dataPaths(recipe).map(async (source) => [source, await pathState(fileOf(source), folder)] as const);
  return new Map(await Promise.all(states));
}

async function pathState(source: string, folder: string): Promise<PathState> {
  const absolute = path.resolve(folder, source);
  const found = await stat(absolute).catch(() => undefined);
  if (found?.isDirectory() === true) return (await holdsFile(absolute)) ? 'there' : 'empty';
  if (found !== undefined) return 'there';
  if (!isGlob(source)) return 'missing';
  const { files } = await listSource(source, folder).catch(() => ({ files: [] }));
  return files.length > 0 ? 'there' : 'missing';
}

async function holdsFile(folder: string): Promise<boolean> {
  const folders = [folder];
  for (let looked = 0; looked < MOST_FOLDERS; looked++) {
    const next = folders.shift();
    if (next === undefined) return false;
    for (const entry of await readdir(next, { withFileTypes: true }).catch(() => [])) {
      if (entry.name.startsWith('.')) continue;
      if (!entry.isDirectory()) return true;
      folders.push(path.join(next, entry.name));
    }
  }
  return true;
}

/** Whether two values are the same, whatever the order of their keys. */
export function sameJson(a: unknown, b: unknown): boolean {
  return canonical(a) === canonical(b);
}

function canonical(value: unknown): string {
  return JSON.stringify(value, (_, part: unknown) =>
    typeof part === 'object' && part !== null && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([x], [y]) => (x < y ? -1 : 1)))
      : part,
  );
}
