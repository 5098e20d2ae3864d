/** Samples from a user's own JavaScript, for data that no file format describes. It runs code, so only where trusted. */

import { createHash, type Hash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { pathToFileURL } from 'node:url';
import { QuantscopeError, throwIfCancelled } from '../../shared/errors';
import type { SourceFile } from './files';
import type { Feeds, InputInfo } from './types';
import { feedsOfObject } from './values';

/** A module without end is cut off here where the recipe does not say how many samples to take. */
const MAX_SAMPLES = 100_000;

/** So many samples of every reading are compared with those of the first one: random ones differ at once. */
const COMPARED = 4;

export interface ModuleSource {
  readonly count: number;
  /** Hash of all feeds: the code may read anything, so its text says little. */
  readonly hash: string;
  /** Runs the samples anew. @throws `data-invalid`, also where they are not those of the first reading; `cancelled` */
  feeds(signal?: AbortSignal): AsyncGenerator<Feeds, void, undefined>;
}

type Samples = Iterable<unknown> | AsyncIterable<unknown>;

/**
 * Loads the `samples` (or default) export: an array, another iterable, or a function that returns one, async or not.
 * It is run once here to count and hash, and once more by each reading, so it must yield the same every time.
 * @param limit the first so many samples are taken
 * @throws `data-untrusted`, `data-invalid`
 */
export async function openModule(
  file: SourceFile,
  inputs: readonly InputInfo[],
  options: { readonly trusted: boolean; readonly limit: number | undefined },
): Promise<ModuleSource> {
  if (!options.trusted)
    throw new QuantscopeError('data-untrusted', `${file.id} is JavaScript, and running it was not allowed.`);
  const start = await loadSamples(file);
  const limit = Math.min(options.limit ?? MAX_SAMPLES, MAX_SAMPLES);
  async function* read(signal?: AbortSignal): AsyncGenerator<Feeds, void, undefined> {
    let index = 0;
    try {
      for await (const value of await start()) {
        throwIfCancelled(signal);
        yield feedsOfObject(value, inputs, `${file.id}#${index}`);
        if (++index >= limit) return;
      }
    } catch (error) {
      if (error instanceof QuantscopeError) throw error;
      throw failure(file, error);
    }
  }
  const hash = createHash('sha256');
  let count = 0;
  const first: string[] = [];
  for await (const sample of read()) {
    count++;
    hashFeeds(hash, sample);
    if (first.length < COMPARED) first.push(hashFeeds(createHash('sha256'), sample).digest('hex'));
  }
  async function* feeds(signal?: AbortSignal): AsyncGenerator<Feeds, void, undefined> {
    let index = 0;
    for await (const sample of read(signal)) {
      const expected = first[index++];
      if (expected !== undefined && hashFeeds(createHash('sha256'), sample).digest('hex') !== expected) {
        throw new QuantscopeError('data-invalid', `${file.id} yields other samples each time that it is read.`, {
          hint: 'It is read several times, and fp32 and int8 are compared on the same samples: give its random numbers a seed inside the function.',
        });
      }
      yield sample;
    }
  }
  return { count, hash: hash.digest('hex'), feeds };
}

function hashFeeds(hash: Hash, feeds: Feeds): Hash {
  for (const [name, { type, dims, data }] of Object.entries(feeds)) {
    hash.update(JSON.stringify([name, type, dims]));
    hash.update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  }
  return hash;
}

async function loadSamples(file: SourceFile): Promise<() => Samples | Promise<Samples>> {
  let exported: unknown;
  try {
    // The query makes a long-lived process load the module again after an edit.
    const url = `${pathToFileURL(file.path).href}?edited=${(await stat(file.path)).mtimeMs}`;
    const module = (await import(url)) as Record<string, unknown>;
    const fallback = module['default'];
    // A CommonJS module appears as the default export as a whole.
    const inner =
      typeof fallback === 'object' && fallback !== null && 'samples' in fallback ? fallback.samples : undefined;
    exported = module['samples'] ?? inner ?? fallback;
  } catch (error) {
    throw failure(file, error);
  }
  if (typeof exported === 'function') {
    const call = exported as () => unknown;
    return async () => {
      const result = await call();
      if (isSamples(result)) return result;
      throw new QuantscopeError(
        'data-invalid',
        `The function "samples" of ${file.id} returns nothing that can be iterated.`,
      );
    };
  }
  if (!isSamples(exported) || typeof exported === 'string') {
    throw new QuantscopeError('data-invalid', `${file.id} exports no "samples" that can be iterated.`);
  }
  if ('next' in exported) {
    throw new QuantscopeError(
      'data-invalid',
      `${file.id} exports a running generator, which can be read only once: export the function.`,
    );
  }
  return () => exported;
}

function isSamples(value: unknown): value is Samples {
  return typeof value === 'object' && value !== null && (Symbol.iterator in value || Symbol.asyncIterator in value);
}

function failure(file: SourceFile, error: unknown): QuantscopeError {
  const message = error instanceof Error ? error.message : String(error);
  return new QuantscopeError('data-invalid', `${file.id} failed: ${message}`, { cause: error });
}
