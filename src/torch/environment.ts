/** Which interpreter runs the model, and what it lacks. */

import { access, constants } from 'node:fs/promises';
import * as path from 'node:path';
import type { JobContext } from '../core/pipeline/types';
import { QuantscopeError } from '../shared/errors';
import { checkSchema, type Check } from './protocol';
import { TorchWorker } from './worker';

const WINDOWS = process.platform === 'win32';
const FOLDERS = ['.venv', 'venv'] as const;
const PROGRAM = WINDOWS ? path.join('Scripts', 'python.exe') : path.join('bin', 'python');
/** PATH is asked last. */
const ON_PATH = WINDOWS ? 'python' : 'python3';

/**
 * The interpreter that a recipe means: the one it names, the one chosen in the editor, `QUANTSCOPE_PYTHON`, a `.venv`
 * beside the recipe or in a folder above it, or PATH.
 */
export async function findPython(named: string | undefined, baseDir: string, chosen?: string): Promise<string> {
  if (named !== undefined) return /[\\/]/.test(named) ? path.resolve(baseDir, named) : named;
  const { QUANTSCOPE_PYTHON: ofShell = '' } = process.env;
  const preferred = chosen ?? ofShell;
  if (preferred !== '') return preferred;
  for (let folder = path.resolve(baseDir); ; folder = path.dirname(folder)) {
    for (const name of FOLDERS) {
      const program = path.join(folder, name, PROGRAM);
      if (await isExecutable(program)) return program;
    }
    if (folder === path.dirname(folder)) return ON_PATH;
  }
}

async function isExecutable(file: string): Promise<boolean> {
  return access(file, constants.X_OK).then(
    () => true,
    () => false,
  );
}

/** The command that gives an interpreter what it lacks. */
export function installCommand(python: string, wanted = 'torch'): string {
  const quoted = (text: string): string => (/[\s<>]/.test(text) ? `"${text}"` : text);
  return `${quoted(python)} -m pip install ${quoted(wanted)}`;
}

/**
 * Starts the interpreter and asks what it has.
 * @throws `torch-untrusted`; `torch-missing` with the command that installs what is missing
 */
export async function openWorker(
  named: string | undefined,
  baseDir: string,
  context: JobContext,
): Promise<{ readonly worker: TorchWorker; readonly check: Check }> {
  const python = await findPython(named, baseDir, context.python);
  const worker = new TorchWorker(python, baseDir, context);
  try {
    const check = await worker.ask(checkSchema, { method: 'check' });
    if (check.problem !== null) {
      throw new QuantscopeError('torch-missing', `${check.executable} (Python ${check.python}): ${check.problem}.`, {
        hint: `Install it with \`${installCommand(check.executable, check.install)}\`, or name another interpreter as \`torch: { python: … }\`.`,
      });
    }
    return { worker, check };
  } catch (error) {
    await worker.close();
    throw error;
  }
}
