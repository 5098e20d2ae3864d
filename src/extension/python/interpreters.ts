/**
 * Which Python runs the models of a folder: the setting, what the Python extension has chosen, a virtual environment of
 * the workspace, or PATH. `scope` is always the folder of the model. None is started here.
 */

import * as vscode from 'vscode';
import { folderOf } from '../entries';
import { setting } from '../settings';

const PYTHON_EXTENSION = 'ms-python.python';

/** The part of its API that is used: https://github.com/microsoft/vscode-python/tree/main/pythonExtensionApi */
interface PythonApi {
  readonly environments: {
    getActiveEnvironmentPath(resource?: vscode.Uri): { readonly path: string };
    resolveEnvironment(
      environment: object,
    ): Promise<{ readonly executable: { readonly uri?: vscode.Uri } } | undefined>;
  };
}

function isPythonApi(value: unknown): value is PythonApi {
  return typeof value === 'object' && value !== null && 'environments' in value;
}

/** What the person has chosen, here or in the Python extension; `undefined` leaves the search to the engine. */
export async function interpreterFor(scope: vscode.Uri): Promise<string | undefined> {
  const own = setting('python', scope);
  return own === '' ? chosenElsewhere(scope) : located(own, scope);
}

/** A path with slashes is relative to the workspace; a name alone is looked for on PATH. */
function located(program: string, scope: vscode.Uri): string {
  const folder = vscode.workspace.getWorkspaceFolder(scope) ?? vscode.workspace.workspaceFolders?.[0];
  if (!/[\\/]/.test(program) || /^(?:[\\/]|[A-Za-z]:)/.test(program) || folder === undefined) return program;
  return vscode.Uri.joinPath(folder.uri, program).fsPath;
}

async function chosenElsewhere(scope: vscode.Uri): Promise<string | undefined> {
  const extension = vscode.extensions.getExtension<unknown>(PYTHON_EXTENSION);
  if (extension === undefined) return undefined;
  try {
    const api = extension.isActive ? extension.exports : await extension.activate();
    if (!isPythonApi(api)) return undefined;
    const environment = await api.environments.resolveEnvironment(api.environments.getActiveEnvironmentPath(scope));
    return environment?.executable.uri?.fsPath;
  } catch {
    // Another extension's fault is no reason not to look on.
    return undefined;
  }
}

export interface Interpreter {
  /** As the setting has it. */
  readonly program: string;
  readonly origin: string;
}

const WINDOWS = process.platform === 'win32';
const ENVIRONMENTS = ['.venv', 'venv'] as const;
const PROGRAM = WINDOWS ? ['Scripts', 'python.exe'] : ['bin', 'python'];

/** Interpreters to choose from, the one that runs without a choice first. */
export async function interpreters(scope: vscode.Uri): Promise<readonly Interpreter[]> {
  const own = setting('python', scope);
  const elsewhere = await chosenElsewhere(scope);
  const found: Interpreter[] = [
    ...(own === '' ? [] : [{ program: located(own, scope), origin: 'setting' }]),
    ...(elsewhere === undefined ? [] : [{ program: elsewhere, origin: 'Python extension' }]),
    ...(await environments(scope)).map((program) => ({ program, origin: 'virtual environment' })),
    { program: WINDOWS ? 'python' : 'python3', origin: 'PATH' },
  ];
  return found.filter(({ program }, index) => found.findIndex((other) => other.program === program) === index);
}

/** In a folder and above it, as far as the workspace goes. */
async function environments(scope: vscode.Uri): Promise<string[]> {
  const top = vscode.workspace.getWorkspaceFolder(scope)?.uri.path ?? scope.path;
  const found: string[] = [];
  for (let { path } = scope; path.startsWith(top); path = folderOf(path)) {
    for (const name of ENVIRONMENTS) {
      const program = vscode.Uri.joinPath(scope.with({ path }), name, ...PROGRAM);
      const exists = await vscode.workspace.fs.stat(program).then(
        () => true,
        () => false,
      );
      if (exists) found.push(program.fsPath);
    }
    if (path === '') break;
  }
  return found;
}

export interface InterpreterItem extends vscode.QuickPickItem {
  readonly program?: string;
}

/** Behind the interpreters stands one item without a program, which browses. */
export async function interpreterItems(scope: vscode.Uri): Promise<InterpreterItem[]> {
  const found = await interpreters(scope);
  return [
    ...found.map(({ program, origin }) => {
      return { label: vscode.workspace.asRelativePath(program), description: origin, program };
    }),
    { label: '$(folder-opened) Choose a Python program…' },
  ];
}

export async function browseInterpreter(): Promise<string | undefined> {
  const options = { canSelectFiles: true, openLabel: 'Run Models with This Python', title: 'Python Interpreter' };
  return (await vscode.window.showOpenDialog(options))?.[0]?.fsPath;
}

/** For this workspace; without one for all. */
export async function keepInterpreter(program: string, scope: vscode.Uri): Promise<void> {
  const { Global, Workspace } = vscode.ConfigurationTarget;
  const target = vscode.workspace.workspaceFolders === undefined ? Global : Workspace;
  await vscode.workspace.getConfiguration('quantscope', scope).update('python', program, target);
}

/** @returns whether one was chosen */
export async function selectInterpreter(scope: vscode.Uri): Promise<boolean> {
  const placeHolder = 'Which Python runs PyTorch models? It needs torch 1.13 or newer.';
  const item = await vscode.window.showQuickPick(interpreterItems(scope), { placeHolder });
  const program = item === undefined ? undefined : (item.program ?? (await browseInterpreter()));
  if (program === undefined) return false;
  await keepInterpreter(program, scope);
  return true;
}
