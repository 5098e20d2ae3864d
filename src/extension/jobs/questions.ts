/** The questions that recipes of every framework have: on which data, and how an image becomes the input. */

import * as vscode from 'vscode';
import { number3, plural } from '../../shared/format';
import type { Inspection } from '../../shared/inspection';
import type { NewRecipe } from '../../shared/newRecipe';
import type { Preprocess, PreprocessPreset } from '../../shared/recipe';
import { folderOf, relativePath } from '../entries';
import { NOT_SEARCHED } from '../searched';
import { imageFolders, validationFor, type ImageFolder } from './calibrationData';
import { AGAIN, ask, separator, type Choice, type Step } from './steps';

const IMAGES = '**/*.{png,jpg,jpeg,webp,PNG,JPG,JPEG,WEBP}';
const ARRAYS = '**/*.{npy,npz,jsonl}';
const TABLES = '**/*.tsv';
const MOST_FILES = 50_000;

const SYNTHETIC = 'synthetic';

export interface Data {
  /** Path as a URI has it; `synthetic` for none. */
  readonly path: string;
  /** Arrays are tensors already, and random numbers need no preprocessing. */
  readonly images: boolean;
}

export interface Preprocessing {
  readonly preprocess: Preprocess | PreprocessPreset;
  /** Of a guess, what it was guessed from. */
  readonly why?: string;
}

interface Found {
  readonly folders: readonly ImageFolder[];
  readonly arrays: readonly string[];
  readonly tables: readonly string[];
}

/** What the two questions were answered. */
export class DataAnswers {
  data: Data | undefined;
  preprocessing: Preprocessing | undefined;
  readonly #found: Promise<Found>;

  /** @param model a file of the file system that the data are searched on */
  constructor(model: vscode.Uri) {
    this.#found = findData(model);
  }

  /** @param inspection asked only once the data are known */
  questions(title: string, inspection: () => Promise<Inspection>): readonly Step[] {
    return [
      async (place) => {
        const placeholder = 'What is it calibrated on? Data like the model will meet, a hundred samples are enough.';
        const answer = await ask({ title, placeholder, ...place, choices: this.#found.then(dataChoices) });
        const data = answer === BROWSE ? await browse() : answer;
        if (typeof data === 'object') this.data = data;
        // Back at the question where no folder was chosen.
        return answer === BROWSE && data === undefined ? AGAIN : data;
      },
      async (place) => {
        if (this.data?.images !== true) return (this.preprocessing = { preprocess: {} });
        const placeholder = 'How does an image become the input? As in training, or int8 and float are both wrong.';
        const choices = inspection().then(preprocessChoices);
        const answer = await ask({ title, placeholder, ...place, choices });
        if (typeof answer === 'object') this.preprocessing = answer;
        return answer;
      },
    ];
  }

  /** As the recipe says it; `undefined` as long as a question is open. */
  async written(
    recipe: vscode.Uri,
  ): Promise<Pick<NewRecipe, 'data' | 'preprocess' | 'guessed' | 'validate'> | undefined> {
    const { data, preprocessing } = this;
    if (data === undefined || preprocessing === undefined) return undefined;
    const { folders, tables } = await this.#found;
    const path = (absolute: string): string => relativePath(folderOf(recipe.path), absolute);
    const validation = data.images ? validationFor(data.path, folders, tables) : undefined;
    return {
      data: data.path === SYNTHETIC ? SYNTHETIC : path(data.path),
      preprocess: preprocessing.preprocess,
      guessed: preprocessing.why,
      ...(validation === undefined
        ? {}
        : { validate: { data: path(validation.data), labels: path(validation.labels) } }),
    };
  }
}

const BROWSE = Symbol('browse');

// --- Data -----------------------------------------------------------------------------------------------------------

async function findData(model: vscode.Uri): Promise<Found> {
  const find = async (pattern: string): Promise<string[]> =>
    (await vscode.workspace.findFiles(pattern, NOT_SEARCHED, MOST_FILES))
      // Paths of a recipe stay on one file system.
      .filter(({ scheme, authority }) => scheme === model.scheme && authority === model.authority)
      .map(({ path }) => path);
  const [images, arrays, tables] = await Promise.all([find(IMAGES), find(ARRAYS), find(TABLES)]);
  return { folders: imageFolders(images), arrays: arrays.toSorted(), tables: tables.toSorted() };
}

const MOST_ARRAYS = 20;

function dataChoices({ folders, arrays }: Found): Choice<Data | typeof BROWSE>[] {
  return [
    ...(folders.length === 0 ? [] : [separator('Images')]),
    ...folders.map(({ path, images }) => {
      const label = `$(file-media) ${vscode.workspace.asRelativePath(path)}`;
      return { label, description: plural(images, 'image'), value: { path, images: true } };
    }),
    ...(arrays.length === 0 ? [] : [separator('Tensors')]),
    ...arrays.slice(0, MOST_ARRAYS).map((path) => {
      return { label: `$(file-binary) ${vscode.workspace.asRelativePath(path)}`, value: { path, images: false } };
    }),
    separator('Other'),
    { label: '$(folder-opened) Choose a folder of images…', value: BROWSE },
    {
      label: '$(warning) No data: random numbers',
      detail: 'Shows what can run in int8. Ranges and errors then say little about real data.',
      value: { path: SYNTHETIC, images: false },
    },
  ];
}

async function browse(): Promise<Data | undefined> {
  const options = { canSelectFolders: true, canSelectFiles: false, openLabel: 'Calibrate on This Folder' };
  const [chosen] = (await vscode.window.showOpenDialog(options)) ?? [];
  return chosen === undefined ? undefined : { path: chosen.path, images: true };
}

// --- Preprocessing --------------------------------------------------------------------------------------------------

const PRESET_DETAILS: Readonly<Record<PreprocessPreset, string>> = {
  imagenet: 'RGB: (pixel / 255 − mean) / std of ImageNet. torchvision and most PyTorch classifiers.',
  tf: 'RGB: pixel / 127.5 − 1, from −1 to 1. MobileNet and other TensorFlow models.',
  unit: 'RGB: pixel / 255, from 0 to 1. YOLO and many detectors.',
  caffe: 'BGR: pixel − mean of ImageNet. Models that came from Caffe.',
};

function preprocessChoices({ guess, model }: Inspection): Choice<Preprocessing>[] {
  const { preprocess, why } = guess;
  const [presets, none] = [Object.entries(PRESET_DETAILS) as [PreprocessPreset, string][], { preprocess: {} }];
  const geometry = geometryOf(preprocess);
  return [
    separator('Guessed from the input of the model'),
    { label: `$(lightbulb) ${guessText(preprocess)}`, ...explained(why), value: { preprocess, why } },
    separator('Others'),
    ...presets
      .filter(([preset]) => preset !== preprocess.preset)
      .map(([preset, detail]) => ({ label: preset, detail, value: { preprocess: { preset, ...geometry } } })),
    ...(isOpen(model) ? [separator('Images as large as they are'), ...presets.map(asLarge)] : []),
    ...(guessText(preprocess) === NOTHING
      ? []
      : [{ label: NOTHING, detail: 'Pixels from 0 to 255, in the order red, green, blue.', value: none }]),
  ];
}

const NOTHING = 'Nothing';

/** Whether the model takes images of any size. */
function isOpen({ inputs: [input] }: Inspection['model']): boolean {
  return input?.shape.length === 4 && input.shape.slice(1).some((side) => typeof side === 'string');
}

function asLarge([preset, detail]: readonly [PreprocessPreset, string]): Choice<Preprocessing> {
  return { label: `${preset}, any size`, detail, value: { preprocess: preset } };
}

/** `what the input is: what follows. What to do.`, split over the lines of a choice, which are cut where they are long. */
function explained(why: string): { readonly description?: string; readonly detail: string } {
  const [, cause, consequence] = /^(.*?): (.*?)\.(?: |$)/.exec(why) ?? [];
  return cause === undefined || consequence === undefined
    ? { detail: why }
    : { description: consequence, detail: cause };
}

/** Size and crop follow from the shape of the input, whatever the colours need. */
function geometryOf({ resize, crop }: Preprocess): Pick<Preprocess, 'resize' | 'crop'> {
  return { ...(resize === undefined ? {} : { resize }), ...(crop === undefined ? {} : { crop }) };
}

function guessText({ preset, resize, crop }: Preprocess): string {
  const size = (value: number | readonly number[]): string =>
    typeof value === 'number' ? number3(value) : value.join('×');
  const parts = [
    ...(preset === undefined ? [] : [preset]),
    ...(resize === undefined ? [] : [`${resize.mode.replaceAll('-', ' ')} ${size(resize.size)}`]),
    ...(crop === undefined ? [] : [`crop ${size(crop)}`]),
  ];
  return parts.length === 0 ? NOTHING : parts.join(', ');
}
