/** The first recipe of a PyTorch model, by questions with a good first answer each; what leaves no choice is not asked. */

import * as vscode from 'vscode';
import { BACKEND_TITLES } from '../../shared/backendTitles';
import { QuantscopeError } from '../../shared/errors';
import type { Inspection } from '../../shared/inspection';
import type { NewRecipe } from '../../shared/newRecipe';
import type { Recipe, TorchBackend, TorchMode } from '../../shared/recipe';
import { nameOf, PYTHON_SOURCE, relativePath } from '../entries';
import { browseInterpreter, interpreterItems, keepInterpreter } from '../python/interpreters';
import { factoriesIn, factoriesNear, kindOf, weightsNear, type SourceFactory } from '../python/modelFiles';
import { readRecipe } from '../recipes';
import type { ModelEntry } from '../results';
import { setting } from '../settings';
import { baseName } from '../targets';
import { torchBackendsFor } from './backendOrder';
import { DataAnswers } from './questions';
import { AGAIN, ask, askInTurn, separator, type Choice, type Step } from './steps';

export interface TorchAnswers {
  /** Where the recipe is to stand: beside what `model` names. */
  readonly file: vscode.Uri;
  readonly settings: NewRecipe;
}

/** Loads a model to see what it takes. */
type Look = (recipe: Recipe, baseDir: vscode.Uri) => Promise<Inspection>;

/** What a model is made from. */
interface Source {
  /** A factory of a Python file; otherwise the file itself is the model. */
  readonly factory: SourceFactory | undefined;
  readonly file: vscode.Uri;
  readonly weights: vscode.Uri | undefined;
}

/**
 * @returns `undefined` where the person gave up
 * @throws `model-invalid` where the file holds nothing to start from; what the look throws, as `torch-missing`
 */
export async function askForTorchRecipe(file: vscode.Uri, look: Look): Promise<TorchAnswers | undefined> {
  const title = `Quantize ${baseName(file)}`;
  const folder = vscode.Uri.joinPath(file, '..');
  const start = await startOf(file);
  const answers = new DataAnswers(file);
  let { source } = start;
  let mode: TorchMode = 'static';
  let backend: TorchBackend | undefined;
  const looks = new Map<string, Promise<Inspection>>();
  const inspection = (): Promise<Inspection> => {
    const at = vscode.Uri.joinPath(source.file, '..');
    const recipe: Recipe = { model: referenceOf(source, at), framework: 'torch' };
    const known = looks.get(recipe.model) ?? look(recipe, at);
    looks.set(recipe.model, known);
    return known;
  };
  const factoryStep: Step = async (place) => {
    const placeholder = start.isWeights
      ? `${baseName(file)} holds weights alone. Which function builds their network?`
      : 'Which function builds the fp32 model?';
    const choices = Promise.resolve(factoryChoices(start.factories, folder));
    const answer = await ask({ title, placeholder, ...place, choices });
    if (typeof answer === 'object') source = { ...source, factory: answer, file: answer.file };
    return answer;
  };
  const weightsStep: Step = async (place) => {
    const placeholder = 'Which weights does the model get? A state_dict, read without running code.';
    const answer = await ask({ title, placeholder, ...place, choices: Promise.resolve(weightsChoices(start.weights)) });
    if (answer === NONE) source = { ...source, weights: undefined };
    else if (answer instanceof vscode.Uri) source = { ...source, weights: answer };
    return answer;
  };
  const answered = await askInTurn([
    ...(await interpreterStep(title, folder, () => looks.clear())),
    ...(start.factories.length > 1 || (start.isWeights && start.factories.length > 0) ? [factoryStep] : []),
    ...(start.weights.length > 0 ? [weightsStep] : []),
    async (place) => {
      const placeholder = 'How is it quantized?';
      // Python takes longer to load a model than this answer takes; what fails is told by the next question.
      inspection().catch(() => undefined);
      const answer = await ask({ title, placeholder, ...place, choices: Promise.resolve(MODES) });
      if (typeof answer === 'string') mode = answer;
      return answer;
    },
    async (place) => {
      const placeholder = 'Where will the model run? Its kernels decide which layers become int8.';
      const choices = inspection().then(({ machine }) => backendChoices(machine.engines));
      const answer = await ask({ title, placeholder, ...place, choices });
      if (typeof answer === 'string') backend = answer;
      return answer;
    },
    ...answers.questions(title, inspection),
  ]);
  const recipe = source.file;
  const data = answered ? await answers.written(recipe) : undefined;
  if (backend === undefined || data === undefined) return undefined;
  const at = vscode.Uri.joinPath(recipe, '..');
  const weights = source.weights === undefined ? undefined : relativePath(at.path, source.weights.path);
  return {
    file: source.file,
    settings: { model: referenceOf(source, at), backend, ...data, torch: { mode, weights } },
  };
}

export interface LocatedRecipe {
  readonly recipe: Recipe;
  /** What its paths are relative to. */
  readonly baseDir: vscode.Uri;
}

/**
 * The recipe of a model; where it has none, one that only says how the model is built.
 * @returns `undefined` where the person gave up
 */
export async function torchRecipeOf(entry: ModelEntry): Promise<LocatedRecipe | undefined> {
  if (entry.hasRecipe) {
    return { recipe: await readRecipe(entry.recipe), baseDir: vscode.Uri.joinPath(entry.recipe, '..') };
  }
  const { source, factories } = await startOf(entry.model);
  const choices = factoryChoices(factories, vscode.Uri.joinPath(entry.model, '..'));
  const options = { placeHolder: 'Which function builds the fp32 model?', matchOnDescription: true };
  const factory = choices.length > 1 ? (await vscode.window.showQuickPick(choices, options))?.value : source.factory;
  if (choices.length > 1 && factory === undefined) return undefined;
  const file = factory?.file ?? source.file;
  const baseDir = vscode.Uri.joinPath(file, '..');
  const { weights } = source;
  return {
    recipe: {
      ...{ model: referenceOf({ ...source, file, factory }, baseDir), framework: 'torch' },
      ...(weights === undefined ? {} : { torch: { weights: relativePath(baseDir.path, weights.path) } }),
    },
    baseDir,
  };
}

/** The model as a recipe in a folder names it. */
function referenceOf({ file, factory }: Source, folder: vscode.Uri): string {
  const path = relativePath(folder.path, file.path);
  return factory === undefined ? path : `${path}:${factory.name}`;
}

interface Start {
  readonly source: Source;
  readonly isWeights: boolean;
  readonly factories: readonly SourceFactory[];
  /** To be chosen from. */
  readonly weights: readonly vscode.Uri[];
}

async function startOf(file: vscode.Uri): Promise<Start> {
  if (PYTHON_SOURCE.test(file.path)) {
    const factories = await factoriesIn(file);
    const [factory] = factories;
    if (factory === undefined) throw noFactory(`${baseName(file)} has no function that builds a model.`);
    const weights = await weightsNear(file);
    return { source: { factory, file, weights: undefined }, isWeights: false, factories, weights };
  }
  if ((await kindOf(file)) !== 'weights') {
    const source = { factory: undefined, file, weights: undefined };
    return { source, isWeights: false, factories: [], weights: [] };
  }
  const factories = await factoriesNear(file);
  const [factory] = factories;
  if (factory === undefined) {
    throw noFactory(
      `${baseName(file)} holds weights alone, and no Python file here has a function that builds their network.`,
    );
  }
  return { source: { factory, file: factory.file, weights: file }, isWeights: true, factories, weights: [] };
}

function noFactory(message: string): QuantscopeError {
  return new QuantscopeError('model-invalid', message, {
    hint: 'Write a function without required arguments, at the top of the file, that returns the fp32 torch.nn.Module.',
  });
}

/** None where the setting decides, or there is only one. */
async function interpreterStep(title: string, folder: vscode.Uri, changed: () => void): Promise<Step[]> {
  if (setting('python', folder) !== '') return [];
  const items = await interpreterItems(folder);
  const [first] = items;
  // One interpreter, and the item that browses.
  if (items.length <= 2) return [];
  return [
    async (place) => {
      const placeholder = 'Which Python runs the model? It needs torch 1.13 or newer.';
      const choices = items.map((item) => ({ ...item, value: item.program ?? NONE }));
      const answer = await ask({ title, placeholder, ...place, choices: Promise.resolve(choices) });
      const program = answer === NONE ? await browseInterpreter() : answer;
      if (answer === NONE && program === undefined) return AGAIN;
      if (typeof program === 'string' && program !== first?.program) {
        await keepInterpreter(program, folder);
        changed();
      }
      return program;
    },
  ];
}

const NONE = Symbol('none');

function factoryChoices(factories: readonly SourceFactory[], folder: vscode.Uri): Choice<SourceFactory>[] {
  return factories.map((factory) => ({
    label: `$(symbol-${factory.kind === 'class' ? 'class' : 'function'}) ${factory.name}`,
    description: `${relativePath(folder.path, factory.file.path)}:${factory.line}`,
    ...(factory.summary === '' ? {} : { detail: factory.summary }),
    value: factory,
  }));
}

function weightsChoices(weights: readonly vscode.Uri[]): Choice<vscode.Uri | typeof NONE>[] {
  return [
    ...weights.map((uri) => {
      const [name, path] = [nameOf(uri.path), vscode.workspace.asRelativePath(uri)];
      return { label: `$(file-binary) ${name}`, ...(path === name ? {} : { description: path }), value: uri };
    }),
    separator('Other'),
    { label: '$(circle-slash) None', detail: 'The function loads them itself, or random ones will do.', value: NONE },
  ];
}

const MODES: readonly Choice<TorchMode>[] = [
  {
    label: 'Static, FX graph mode',
    description: 'static',
    detail: 'Traced, calibrated on data, weights and activations in int8. The fastest for convolutions.',
    value: 'static',
  },
  {
    label: 'Dynamic',
    description: 'dynamic',
    detail: 'Linear, LSTM and GRU only; the range of an activation is taken when it comes.',
    value: 'dynamic',
  },
  {
    label: 'Static, eager mode',
    description: 'eager',
    detail: 'For a model with QuantStub and DeQuantStub of its own.',
    value: 'eager',
  },
  {
    label: 'Quantization-aware training',
    description: 'qat',
    detail: 'Fine-tunes against the fp32 model on the calibration data; takes longer, loses least.',
    value: 'qat',
  },
  {
    label: 'Static, torch.export with torchao',
    description: 'pt2e',
    detail: 'prepare_pt2e, the heir of FX graph mode. Its graph is to be lowered before it runs in int8.',
    value: 'pt2e',
  },
];

function backendChoices(engines: readonly string[] | undefined): Choice<TorchBackend>[] {
  const { here, missing } = torchBackendsFor(process.arch, engines);
  const choice = (backend: TorchBackend): Choice<TorchBackend> => {
    return { label: BACKEND_TITLES[backend], description: backend, value: backend };
  };
  // Without its kernels a backend cannot run, so that it is only named.
  const lacks = missing.map((backend) => BACKEND_TITLES[backend]).join(', ');
  return [
    separator('This CPU'),
    ...here.map(choice),
    ...(lacks === '' ? [] : [separator(`Not in this build of torch: ${lacks}`)]),
  ];
}
