/** The first recipe of an ONNX model: three questions with a good first answer each. */

import { BACKEND_TITLES } from '../../shared/backendTitles';
import type { Inspection } from '../../shared/inspection';
import type { NewRecipe } from '../../shared/newRecipe';
import type { BackendId } from '../../shared/recipe';
import { folderOf, relativePath } from '../entries';
import type { ModelEntry } from '../results';
import { backendsFor } from './backendOrder';
import { DataAnswers } from './questions';
import { ask, askInTurn, separator, type Choice } from './steps';

/**
 * @param inspection under way, since it takes longer than the first answer
 * @returns `undefined` where the person gave up
 * @throws what the inspection throws
 */
export async function askForRecipe(entry: ModelEntry, inspection: Promise<Inspection>): Promise<NewRecipe | undefined> {
  const title = `Quantize ${entry.name}`;
  const answers = new DataAnswers(entry.model);
  let backend: BackendId | undefined;
  const answered = await askInTurn([
    async (place) => {
      const placeholder = 'Where will the model run? Its rules decide which layers become int8.';
      const answer = await ask({ title, placeholder, ...place, choices: Promise.resolve(backendChoices()) });
      if (typeof answer === 'string') backend = answer;
      return answer;
    },
    ...answers.questions(title, () => inspection),
  ]);
  const data = answered ? await answers.written(entry.recipe) : undefined;
  if (backend === undefined || data === undefined) return undefined;
  // A model that cannot be read gets no recipe.
  await inspection;
  return { model: relativePath(folderOf(entry.recipe.path), entry.model.path), backend, ...data };
}

function backendChoices(): Choice<BackendId>[] {
  const { here, elsewhere } = backendsFor(process.arch);
  const choice = (backend: BackendId): Choice<BackendId> => {
    return { label: BACKEND_TITLES[backend], description: backend, value: backend };
  };
  return [separator('This CPU'), ...here.map(choice), separator('Other targets'), ...elsewhere.map(choice)];
}
