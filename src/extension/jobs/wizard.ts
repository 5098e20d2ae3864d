/** The first recipe of a model: three questions with a good first answer each. */

import * as vscode from 'vscode';
import { BACKEND_TITLES } from '../../shared/backendTitles';
import { number3, plural } from '../../shared/format';
import type { Inspection } from '../../shared/inspection';
import type { NewRecipe } from '../../shared/newRecipe';
import type { BackendId, Preprocess, PreprocessPreset } from '../../shared/recipe';
import { folderOf, relativePath } from '../entries';
import type { ModelEntry } from '../results';
import { backendsFor } from './backendOrder';
import { imageFolders, validationFor, type ImageFolder } from './calibrationData';
import { ask, BACK, type Choice } from './steps';

const IMAGES = '**/*.{png,jpg,jpeg,webp,PNG,JPG,JPEG,WEBP}';
const ARRAYS = '**/*.{npy,npz,jsonl}';
const TABLES = '**/*.tsv';
const NOT_SEARCHED = '{**/node_modules/**,**/*.quant/**,**/.venv/**,**/.git/**}';
const MOST_FILES = 50_000;

const STEPS = 3;

interface Data {
  /** Path as a URI has it; `synthetic` for none. */
  readonly path: string;
  /** Arrays are tensors already, and random numbers need no preprocessing. */
  readonly images: boolean;
}

interface Preprocessing {
  readonly preprocess: Preprocess | PreprocessPreset;
  /** Of a guess, what it was guessed from. */
  readonly why?: string;
}

interface Found {
  readonly folders: readonly ImageFolder[];
  readonly arrays: readonly string[];
  readonly tables: readonly string[];
}

/**
 * @param inspection under way, since it takes longer than the first answer
 * @returns `undefined` where the person gave up
 * @throws what the inspection throws
 */
export async function askForRecipe(entry: ModelEntry, inspection: Promise<Inspection>): Promise<NewRecipe | undefined> {
  const title = `Quantize ${entry.name}`;
  const found = findData(entry.model);
  const answers: { backend?: BackendId; data?: Data; preprocessing?: Preprocessing } = {};
  const questions = [
    async () => {
      const placeholder = 'Where will the model run? Its rules decide which layers become int8.';
      const choices = Promise.resolve(backendChoices());
      const answer = await ask({ title, placeholder, step: 1, steps: STEPS, choices });
      if (typeof answer === 'string') answers.backend = answer;
      return answer;
    },
    async () => {
      const placeholder = 'What is it calibrated on? Data like the model will meet, a hundred samples are enough.';
      const choices = found.then(dataChoices);
      const answer = await ask({ title, placeholder, step: 2, steps: STEPS, choices });
      const data = answer === BROWSE ? await browse() : answer;
      if (typeof data === 'object') answers.data = data;
      // Back at the question where no folder was chosen.
      return answer === BROWSE && data === undefined ? AGAIN : data;
    },
    async () => {
      if (answers.data?.images !== true) return (answers.preprocessing = { preprocess: {} });
      const placeholder = 'How does an image become the input? As in training, or int8 and float are both wrong.';
      const choices = inspection.then(preprocessChoices);
      const answer = await ask({ title, placeholder, step: 3, steps: STEPS, choices });
      if (typeof answer === 'object') answers.preprocessing = answer;
      return answer;
    },
  ];
  for (let at = 0; at < questions.length;) {
    const answer = await questions[at]!();
    if (answer === undefined) return undefined;
    if (answer !== AGAIN) at += answer === BACK ? -1 : 1;
  }
  const { backend, data, preprocessing } = answers;
  if (backend === undefined || data === undefined || preprocessing === undefined) return undefined;
  // A model that cannot be read gets no recipe.
  await inspection;
  return toRecipe(entry, backend, data, preprocessing, await found);
}

const BROWSE = Symbol('browse');
const AGAIN = Symbol('again');

function toRecipe(
  { recipe, model }: ModelEntry,
  backend: BackendId,
  data: Data,
  { preprocess, why }: Preprocessing,
  { folders, tables }: Found,
): NewRecipe {
  const written = (path: string): string => relativePath(folderOf(recipe.path), path);
  const validation = data.images ? validationFor(data.path, folders, tables) : undefined;
  return {
    model: written(model.path),
    backend,
    data: data.path === SYNTHETIC ? SYNTHETIC : written(data.path),
    preprocess,
    guessed: why,
    ...(validation === undefined
      ? {}
      : { validate: { data: written(validation.data), labels: written(validation.labels) } }),
  };
}

// --- Where it runs --------------------------------------------------------------------------------------------------

function backendChoices(): Choice<BackendId>[] {
  const { here, elsewhere } = backendsFor(process.arch);
  const choice = (backend: BackendId): Choice<BackendId> => {
    return { label: BACKEND_TITLES[backend], description: backend, value: backend };
  };
  return [separator('This CPU'), ...here.map(choice), separator('Other targets'), ...elsewhere.map(choice)];
}

function separator(label: string): Choice<never> {
  return { label, kind: vscode.QuickPickItemKind.Separator };
}

// --- Data -----------------------------------------------------------------------------------------------------------

const SYNTHETIC = 'synthetic';

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

function preprocessChoices({ guess }: Inspection): Choice<Preprocessing>[] {
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
    ...(guessText(preprocess) === NOTHING
      ? []
      : [{ label: NOTHING, detail: 'Pixels from 0 to 255, in the order red, green, blue.', value: none }]),
  ];
}

const NOTHING = 'Nothing';

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
