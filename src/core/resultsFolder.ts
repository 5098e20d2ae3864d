/** Where the results of a model lie where no other folder is named. */

import * as path from 'node:path';
import { RESULTS_SUFFIX, type Framework } from '../shared/resultsSuffix';

/**
 * Beside the model, so that those of `net.onnx` and of `net.py` do not meet.
 * @param model of ONNX its file; of PyTorch what a recipe names it by, as in {@link modelName}
 */
export function resultsFolder(model: string, framework: Framework = 'onnx'): string {
  const name = framework === 'torch' ? modelName(model) : path.parse(model).name;
  return path.join(path.dirname(model), `${name}${RESULTS_SUFFIX[framework]}`);
}

/** `net` of `net.py:build`, `net.pt` and `package.net:build`: what the results of a PyTorch model are called after. */
export function modelName(model: string): string {
  const { name, ext } = path.parse(model);
  return ext.startsWith('.py') || !ext.includes(':') ? name : ext.slice(1, ext.indexOf(':'));
}
