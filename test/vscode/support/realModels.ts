/** Workspaces around the real models of the data folder, with so few images that a run is short. */

import { copyFileSync, mkdirSync, readdirSync } from 'node:fs';
import * as path from 'node:path';
import { IMAGE_MODELS, inData } from '../../integration/support';

export type RealModel = 'mobilenet' | 'squeezenet';

/** How many images of each set are taken, evenly over its classes. */
const IMAGES = { calibration: 16, validation: 50 } as const;

const file = (model: RealModel): string => path.basename(IMAGE_MODELS[model].file);

/** What has to be there; for `missing`. */
export const NEEDED = [inData('images/imagenet'), inData('models')] as const;

/**
 * Copies a model with some images of ImageNet and their labels into a folder, without a recipe.
 * @returns file name of the model
 */
export function copyRealModel(folder: string, model: RealModel): string {
  for (const [set, count] of Object.entries(IMAGES)) {
    const from = inData('images/imagenet', set);
    const to = path.join(folder, 'images', set);
    mkdirSync(to, { recursive: true });
    const all = readdirSync(from).sort();
    for (let index = 0; index < count; index += 1) {
      const name = all[Math.floor((index * all.length) / count)] ?? '';
      copyFileSync(path.join(from, name), path.join(to, name));
    }
  }
  copyFileSync(inData('labels/imagenet_validation.tsv'), path.join(folder, 'images/labels.tsv'));
  copyFileSync(inData('models', IMAGE_MODELS[model].file), path.join(folder, file(model)));
  return file(model);
}
