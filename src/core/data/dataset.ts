/** Opens whatever a recipe names as data and streams it as feeds of the model. */

import { QuantscopeError } from '../../shared/errors';
import type { Preprocess } from '../../shared/recipe';
import { extensionOf, listSource, type SourceFile, type SourceFiles } from './files';
import { fingerprintOf } from './fingerprint';
import type { FeedsCache } from './feedsCache';
import { describeInput } from './fit';
import { jsonItems } from './jsonl';
import { openModule, type ModuleSource } from './module';
import { describePreprocess, resolvePreprocess, type ResolvedPreprocess } from './preprocess';
import { arrayItems, imageItems, type Items } from './readers';
import { readItems } from './stream';
import { syntheticFeeds } from './synthetic';
import type { Dataset, DatasetKind, InputInfo, Item, Sample, Skipped } from './types';

export interface DatasetOptions {
  /** Where relative sources start. */
  readonly baseDir: string;
  /** For images. */
  readonly preprocess: Preprocess;
  /** How many samples, evenly spread: item floor(i·total/N). All where left out. */
  readonly samples?: number;
  /** For synthetic data; 0 where left out. */
  readonly seed?: number;
  /** Whether JavaScript modules may run. */
  readonly trusted?: boolean;
  /** Keeps decoded images for other passes; all else is read faster than it is kept. */
  readonly cache?: FeedsCache;
}

/** The source that stands for random samples. */
export const SYNTHETIC = 'synthetic';
const SYNTHETIC_SAMPLES = 16;

type Group = 'images' | 'arrays' | 'protos' | 'json' | 'module';

const GROUPS: Readonly<Record<string, Group>> = {
  '.jpg': 'images',
  '.jpeg': 'images',
  '.png': 'images',
  '.webp': 'images',
  '.npy': 'arrays',
  '.npz': 'arrays',
  '.pb': 'protos',
  '.jsonl': 'json',
  '.json': 'json',
  '.js': 'module',
  '.mjs': 'module',
  '.cjs': 'module',
};

/** What a folder or glob is taken for, the first that it holds. Modules never: code is named, not found. */
const FOLDER_GROUPS: readonly Group[] = ['images', 'arrays', 'protos', 'json'];

const OTHER_IMAGES: ReadonlySet<string> = new Set([
  '.bmp',
  '.gif',
  '.tif',
  '.tiff',
  '.heic',
  '.avif',
  '.jp2',
  '.ppm',
  '.pgm',
  '.svg',
]);

const SUPPORTED = 'JPEG, PNG and WebP images, .npy, .npz, .pb, .jsonl and .js modules';

/**
 * Opens a folder, glob, image, .npy, .npz, .pb, .jsonl, .json or .js module, or several of one kind; or `synthetic`.
 * Reads no more than it needs to know the samples: array headers, line starts, a module's whole output.
 * @throws `file-not-found`, `data-empty`, `data-invalid`, `data-untrusted`, `recipe-invalid`
 */
export async function openDataset(
  sources: string | readonly string[],
  inputs: readonly InputInfo[],
  options: DatasetOptions,
): Promise<Dataset> {
  const names = typeof sources === 'string' ? [sources] : sources;
  if (names.length === 1 && names[0] === SYNTHETIC) return synthetic(inputs, options);
  const found = await Promise.all(names.map((name) => listSource(name, options.baseDir)));
  const { group, chosen, skipped } = classify(found);
  const [first] = chosen.flatMap((source) => source.files);
  const from = names.join(', ');
  if (group === 'module' && first !== undefined) {
    if (names.length > 1)
      throw new QuantscopeError('data-invalid', 'A JavaScript module must be the only source of data.');
    const module = await openModule(first, inputs, { trusted: options.trusted === true, limit: options.samples });
    return moduleDataset(module, first, inputs);
  }
  const { items, resolved, ...opened } = await openGroup(group, chosen, inputs, options.preprocess);
  const unique = uniqueIds(items);
  const picked = spread(unique, options.samples);
  const kind = kindOf(group, chosen);
  return itemDataset({
    kind,
    description: describe(kind, picked.length, unique.length, from, resolved),
    items:
      group === 'images' && options.cache !== undefined ? options.cache.through(picked, { inputs, resolved }) : picked,
    skipped: [...skipped, ...opened.skipped],
    settings: { kind, inputs, resolved },
  });
}

/** Agrees on one kind of file for all sources and leaves out the others. */
function classify(found: readonly SourceFiles[]): { group: Group; chosen: SourceFiles[]; skipped: Skipped[] } {
  const groupOf = (file: SourceFile): Group | undefined => GROUPS[extensionOf(file)];
  const groups = found.map(({ single, files }) =>
    single && files[0] !== undefined
      ? groupOf(files[0])
      : FOLDER_GROUPS.find((candidate) => files.some((file) => groupOf(file) === candidate)),
  );
  const others = found.flatMap(({ files }) => files.filter((file) => OTHER_IMAGES.has(extensionOf(file))));
  const unreadable = others.map((file) => ({
    item: file.id,
    reason: `${extensionOf(file)} images are not supported; convert it to PNG.`,
  }));
  const [group] = groups;
  const nothing = groups.indexOf(undefined);
  if (nothing >= 0 || group === undefined) {
    const hint = others.length > 0 ? ` (${others.length} images of other formats, such as ${others[0]?.id})` : '';
    throw new QuantscopeError(
      'data-empty',
      `"${found[nothing]?.source ?? ''}" holds no data${hint}; ${SUPPORTED} are read.`,
    );
  }
  if (groups.some((other) => other !== group)) {
    const mixed = found.map(({ source }, i) => `${source} (${groups[i]})`).join(', ');
    throw new QuantscopeError('data-invalid', `The sources of one dataset must be of one kind: ${mixed}.`);
  }
  const seen = new Set<string>();
  const chosen = found.map((source) => ({
    ...source,
    files: source.files.filter((file) => groupOf(file) === group && !seen.has(file.path) && seen.add(file.path)),
  }));
  return { group, chosen, skipped: group === 'images' ? unreadable : [] };
}

async function openGroup(
  group: Group,
  sources: readonly SourceFiles[],
  inputs: readonly InputInfo[],
  preprocess: Preprocess,
): Promise<Items & { readonly resolved: ResolvedPreprocess | null }> {
  const files = sources.flatMap((source) => source.files);
  if (group === 'images') {
    const [input] = inputs;
    if (inputs.length !== 1 || input === undefined) {
      throw new QuantscopeError(
        'data-invalid',
        `Images feed models with one input; this one has ${inputs.length}: ${inputs.map(describeInput).join(', ')}. Use .npz or .jsonl.`,
      );
    }
    const resolved = resolvePreprocess(preprocess, input);
    return { items: imageItems(files, input, resolved), skipped: [], resolved };
  }
  if (group === 'json') {
    const items = await Promise.all(files.map((file) => jsonItems(file, inputs)));
    return { items: items.flat(), skipped: [], resolved: null };
  }
  return { ...(await arrayItems(sources, inputs)), resolved: null };
}

function kindOf(group: Group, sources: readonly SourceFiles[]): DatasetKind {
  if (group === 'protos') return 'tensor-proto';
  if (group === 'json') return 'jsonl';
  if (group !== 'arrays') return group;
  return sources.some(({ files }) => files.some((file) => extensionOf(file) === '.npz')) ? 'npz' : 'npy';
}

/** Two sources may hold files of the same name; those get their full path as id. */
function uniqueIds(items: readonly Item[]): readonly Item[] {
  const counts = new Map<string, number>();
  for (const { id } of items) counts.set(id, (counts.get(id) ?? 0) + 1);
  return items.map((item) => {
    if (counts.get(item.id) === 1 || item.path === undefined) return item;
    const [, index = ''] = /(#\d+)$/.exec(item.id) ?? [];
    return { ...item, id: item.path.replaceAll('\\', '/') + index };
  });
}

function spread<T>(items: readonly T[], wanted: number | undefined): readonly T[] {
  if (wanted === undefined || wanted >= items.length) return items;
  return Array.from({ length: wanted }, (_, i) => items[Math.floor((i * items.length) / wanted)]!);
}

function describe(
  kind: DatasetKind,
  picked: number,
  total: number,
  from: string,
  resolved: ResolvedPreprocess | null,
): string {
  const noun = kind === 'images' ? 'images' : 'samples';
  const number = picked === total ? `${total} ${noun}` : `${picked} of ${total} ${noun}, evenly spread,`;
  return `${number} from ${from}${resolved === null ? '' : `: ${describePreprocess(resolved)}`}`;
}

interface ItemSource {
  readonly kind: DatasetKind;
  readonly description: string;
  readonly items: readonly Item[];
  readonly skipped: readonly Skipped[];
  readonly settings: unknown;
}

function itemDataset({ kind, description, items, skipped, settings }: ItemSource): Dataset {
  if (items.length === 0) throw new QuantscopeError('data-empty', `There are no samples: ${description}.`);
  let passedOver: Skipped[] = [];
  async function* samples(signal?: AbortSignal): AsyncGenerator<Sample, void, undefined> {
    const passed: Skipped[] = [];
    passedOver = passed;
    yield* readItems(items, (item) => passed.push(item), signal);
    const [first] = passed;
    if (passed.length === items.length && first !== undefined) {
      throw new QuantscopeError(
        'data-empty',
        `None of the ${items.length} samples could be read. ${first.item}: ${first.reason}`,
      );
    }
  }
  return {
    kind,
    description,
    count: items.length,
    ids: items.map((item) => item.id),
    samples,
    get skipped() {
      return [...skipped, ...passedOver];
    },
    fingerprint: () => fingerprintOf(settings, items),
  };
}

function synthetic(inputs: readonly InputInfo[], options: DatasetOptions): Dataset {
  const count = options.samples ?? SYNTHETIC_SAMPLES;
  const seed = options.seed ?? 0;
  // Made once here, so that an input that cannot be fed is reported at once.
  syntheticFeeds(inputs, seed, 0);
  const items = Array.from({ length: count }, (_, index): Item => {
    return { id: `${SYNTHETIC}#${index}`, files: [], read: () => Promise.resolve(syntheticFeeds(inputs, seed, index)) };
  });
  const description = `${count} synthetic samples (seed ${seed}): random numbers, so ranges and errors say little about real data`;
  return itemDataset({ kind: 'synthetic', description, items, skipped: [], settings: { seed, inputs } });
}

function moduleDataset(module: ModuleSource, file: SourceFile, inputs: readonly InputInfo[]): Dataset {
  const { count, hash } = module;
  if (count === 0) throw new QuantscopeError('data-empty', `${file.id} yields no samples.`);
  const ids = Array.from({ length: count }, (_, index) => `${file.id}#${index}`);
  async function* samples(signal?: AbortSignal): AsyncGenerator<Sample, void, undefined> {
    let index = 0;
    for await (const feeds of module.feeds(signal)) {
      yield { id: `${file.id}#${index}`, path: file.path, feeds };
      index++;
    }
  }
  return {
    kind: 'module',
    description: `${count} samples from ${file.id}`,
    count,
    ids,
    samples,
    skipped: [],
    fingerprint: () => fingerprintOf({ inputs, hash }, []),
  };
}
