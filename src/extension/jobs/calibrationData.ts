/** Which folders hold images to calibrate on, told from the paths of files alone. Pure. */

import { folderOf, nameOf } from '../entries';

export interface ImageFolder {
  /** With `/`, as in the paths that it was found by. */
  readonly path: string;
  /** Below it, at any depth. */
  readonly images: number;
}

/** Folders side by side in this number are classes: one takes the folder above, which holds all of them. */
const CLASSES = 8;
/** More are no help to anybody who chooses. */
const MOST_FOLDERS = 30;

/** What says that data are for calibration, or that they are kept back. */
const PREFERRED = /calib/i;
const KEPT_BACK = /val|test|eval/i;

/** The folders of images, the likeliest first. @param files paths of images, with `/` */
export function imageFolders(files: readonly string[]): readonly ImageFolder[] {
  const direct = countBy(files.map(folderOf));
  const children = countBy([...direct.keys()].map(folderOf));
  const merged = new Map<string, number>();
  for (const [folder, images] of direct) {
    const parent = folderOf(folder);
    const key = (children.get(parent) ?? 0) >= CLASSES ? parent : folder;
    merged.set(key, (merged.get(key) ?? 0) + images);
  }
  return [...merged]
    .map(([path, images]) => ({ path, images }))
    .sort((a, b) => rank(a) - rank(b) || b.images - a.images || (a.path < b.path ? -1 : 1))
    .slice(0, MOST_FOLDERS);
}

function countBy(values: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  return counts;
}

function rank({ path }: ImageFolder): number {
  const name = nameOf(path);
  return PREFERRED.test(name) ? 0 : KEPT_BACK.test(name) ? 2 : 1;
}

export interface Validation {
  readonly data: string;
  readonly labels: string;
}

/** Labelled images that are not those of the calibration. @param tables paths of `.tsv` files */
export function validationFor(
  calibration: string,
  folders: readonly ImageFolder[],
  tables: readonly string[],
): Validation | undefined {
  const candidates = folders.filter(({ path }) => path !== calibration && KEPT_BACK.test(nameOf(path)));
  for (const { path: data } of candidates) {
    const labels = tables.find(
      (table) => [data, folderOf(data)].includes(folderOf(table)) && /label/i.test(nameOf(table)),
    );
    if (labels !== undefined) return { data, labels };
  }
  return undefined;
}
