/** Labels of a validation set: one `file<TAB>class index` per line. */

import { readFile } from 'node:fs/promises';
import { QuantscopeError, toQuantscopeError } from '../shared/errors';

export interface Labels {
  /** Number of labelled files. */
  readonly count: number;
  /** The highest class index. */
  readonly highest: number;
  /**
   * Class of a sample by its id, a path with `/` relative to its data: the same path, else the same file
   * name where only one label has it. `undefined` for a sample without label.
   */
  find(sample: string): number | undefined;
  /** Labelled files that are none of these samples. */
  missing(samples: Iterable<string>): string[];
}

/** Most problems that one message lists. */
const LISTED = 5;

/** @throws `labels-invalid`, `file-not-found` */
export async function readLabels(file: string): Promise<Labels> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    throw toQuantscopeError(error, 'labels-invalid');
  }
  return parseLabels(text, file);
}

/**
 * The labels of a set of samples.
 * @throws `labels-invalid` also where no sample has one, and what {@link readLabels} throws
 */
export async function readLabelsFor(file: string, ids: readonly string[]): Promise<Labels> {
  const labels = await readLabels(file);
  if (ids.some((id) => labels.find(id) !== undefined)) return labels;
  const example = ids[0] === undefined ? '' : `: ${ids[0]}, for one, has none`;
  throw new QuantscopeError('labels-invalid', `No sample has a label in ${file}${example}.`);
}

/** @throws `labels-invalid` where a label has no class among so many */
export function checkClasses(labels: Labels, classes: number, output: string): void {
  if (labels.highest < classes) return;
  const message = `The labels go up to class ${labels.highest}, but ${output} has only ${classes} classes.`;
  throw new QuantscopeError('labels-invalid', message);
}

/**
 * Blank lines, a byte order mark and Windows line ends are passed over; `\` in a path means `/`.
 * @param name of the file, for messages
 * @throws `labels-invalid` for lines of another form, for a file that is labelled twice, and for no label at all
 */
export function parseLabels(text: string, name: string): Labels {
  const classes = new Map<string, number>();
  const problems: string[] = [];
  text
    .replace(/^\uFEFF/, '')
    .split(/\r?\n/)
    .forEach((line, index) => {
      if (line.trim() === '') return;
      const [, file, label] = /^([^\t]+)\t\s*(\d+)\s*$/.exec(line) ?? [];
      const key = file === undefined ? '' : normalize(file);
      if (key === '' || label === undefined || !Number.isSafeInteger(Number(label))) {
        problems.push(`line ${index + 1} is not \`file<TAB>class index\`: ${JSON.stringify(line.slice(0, 80))}`);
      } else if (classes.has(key)) {
        problems.push(`line ${index + 1} labels ${key} a second time`);
      } else classes.set(key, Number(label));
    });
  if (problems.length > 0) throw new QuantscopeError('labels-invalid', `${name}: ${listed(problems)}.`);
  if (classes.size === 0) throw new QuantscopeError('labels-invalid', `${name} holds no labels.`);
  return new LabelMap(classes);
}

class LabelMap implements Labels {
  readonly count: number;
  readonly highest: number;
  readonly #classes: ReadonlyMap<string, number>;
  /** Full key by file name; `null` where several files have it. */
  readonly #byName = new Map<string, string | null>();

  constructor(classes: ReadonlyMap<string, number>) {
    this.#classes = classes;
    this.count = classes.size;
    this.highest = [...classes.values()].reduce((a, b) => Math.max(a, b), 0);
    for (const key of classes.keys()) {
      const name = baseName(key);
      this.#byName.set(name, this.#byName.has(name) ? null : key);
    }
  }

  #keyOf(sample: string): string | undefined {
    const key = normalize(sample);
    return this.#classes.has(key) ? key : (this.#byName.get(baseName(key)) ?? undefined);
  }

  find(sample: string): number | undefined {
    const key = this.#keyOf(sample);
    return key === undefined ? undefined : this.#classes.get(key);
  }

  missing(samples: Iterable<string>): string[] {
    const present = new Set(Array.from(samples, (sample) => this.#keyOf(sample)));
    return [...this.#classes.keys()].filter((key) => !present.has(key));
  }
}

function normalize(file: string): string {
  return file
    .trim()
    .replaceAll('\\', '/')
    .replace(/^(?:\.\/)+/, '');
}

function baseName(file: string): string {
  return file.slice(file.lastIndexOf('/') + 1);
}

function listed(problems: readonly string[]): string {
  const more = problems.length - LISTED;
  return `${problems.slice(0, LISTED).join('; ')}${more > 0 ? `; and ${more} more` : ''}`;
}
