/**
 * Layers below the threshold or fallen back, on the lines of Python that build them, with the fixes of the layer view
 * as quick fixes. What they change is the recipe.
 */

import * as vscode from 'vscode';
import type { Recipe } from '../../shared/recipe';
import type { Report, SourceLine } from '../../shared/report';
import { suggestFixes } from '../../shared/suggest';
import { recipeLibrary } from '../recipes';
import type { ModelEntry } from '../results';
import type { Services } from '../services';
import { onSettingChange, setting } from '../settings';
import { findLine, placeOf, problemsByFile, problemsIn, type SourceProblem } from './sourceProblems';

const SELECTOR: vscode.DocumentSelector = { scheme: 'file', pattern: '**/*.py' };
/** Typing comes in bursts. */
const SETTLE_MS = 300;

/** A problem that is shown, with what its fixes need. */
interface Shown {
  readonly diagnostic: vscode.Diagnostic;
  readonly problem: SourceProblem;
  readonly report: Report;
  readonly entry: ModelEntry;
}

export function registerPythonDiagnostics(services: Services): vscode.Disposable {
  const problems = new PythonProblems(services);
  return vscode.Disposable.from(
    problems,
    vscode.languages.registerCodeActionsProvider(SELECTOR, problems, {
      providedCodeActionKinds: [vscode.CodeActionKind.QuickFix],
    }),
  );
}

class PythonProblems implements vscode.CodeActionProvider, vscode.Disposable {
  readonly #services: Services;
  readonly #collection = vscode.languages.createDiagnosticCollection('quantscope');
  readonly #subscriptions: readonly { dispose(): unknown }[];
  #shown = new Map<string, readonly Shown[]>();
  #timer: NodeJS.Timeout | undefined;
  #turn = 0;

  constructor(services: Services) {
    this.#services = services;
    const soon = (): void => {
      this.#schedule();
    };
    this.#subscriptions = [
      this.#collection,
      services.results.onDidChange(soon),
      onSettingChange(['threshold', 'maxFindings'], soon),
      vscode.workspace.onDidChangeTextDocument(({ document: { uri } }) => {
        if (this.#shown.has(uri.toString())) soon();
      }),
    ];
    soon();
  }

  dispose(): void {
    clearTimeout(this.#timer);
    for (const subscription of this.#subscriptions) subscription.dispose();
  }

  provideCodeActions(document: vscode.TextDocument, range: vscode.Range): vscode.CodeAction[] {
    const touched = (this.#shown.get(document.uri.toString()) ?? []).filter(
      ({ diagnostic }) => diagnostic.range.intersection(range) !== undefined,
    );
    return touched.flatMap(actionsFor);
  }

  #schedule(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#refresh(), SETTLE_MS);
  }

  async #refresh(): Promise<void> {
    const turn = (this.#turn += 1);
    const entries = (await this.#services.results.models()).filter(
      ({ framework, hasReport, recipe }) => framework === 'torch' && hasReport && recipe.scheme === 'file',
    );
    const shown = new Map<string, Shown[]>();
    for (const entry of entries) {
      for (const [file, found] of await this.#problemsOf(entry)) {
        shown.set(file, [...(shown.get(file) ?? []), ...found]);
      }
    }
    // Something else has happened while the files were read.
    if (turn !== this.#turn) return;
    this.#collection.clear();
    this.#shown = shown;
    for (const [file, found] of shown) {
      this.#collection.set(
        vscode.Uri.parse(file),
        found.map(({ diagnostic }) => diagnostic),
      );
    }
  }

  async #problemsOf(entry: ModelEntry): Promise<ReadonlyMap<string, readonly Shown[]>> {
    const report = await this.#services.results.report(entry).catch(() => undefined);
    if (report === undefined) return new Map();
    const threshold = setting('threshold', entry.model);
    const recipe = await currentRecipe(entry);
    const changedRecipe = recipe === undefined || JSON.stringify(recipe) !== JSON.stringify(report.recipe);
    const files = problemsByFile(report, recipe, { threshold, maxFindings: setting('maxFindings', entry.model) });
    const shown = new Map<string, readonly Shown[]>();
    for (const [file, layers] of files) {
      const source = await readSource(vscode.Uri.file(file));
      if (source === undefined) continue;
      const changed = source.time > Date.parse(report.created) ? CHANGED_FILE : changedRecipe ? CHANGED_RECIPE : '';
      const found = problemsIn(source.lines, layers, threshold).map((problem) => {
        const diagnostic = this.#diagnostic(problem, changed, file, source.lines);
        return { diagnostic, problem, report, entry };
      });
      if (found.length > 0) shown.set(source.uri.toString(), found);
    }
    return shown;
  }

  #diagnostic(problem: SourceProblem, changed: string, file: string, lines: readonly string[]): vscode.Diagnostic {
    const { line, start, end, layers, message } = problem;
    const { Information, Warning } = vscode.DiagnosticSeverity;
    const isLow = layers.some(({ status }) => status === 'quantized');
    const severity = isLow && changed === '' ? Warning : Information;
    const range = new vscode.Range(line, start, line, end);
    const diagnostic = new vscode.Diagnostic(range, `${message}${changed}`, severity);
    const code = isLow ? 'layer-low-sqnr' : 'layer-fallback';
    const docs = vscode.Uri.joinPath(this.#services.context.extensionUri, 'docs', 'diagnostics.md');
    diagnostic.source = 'quantscope';
    diagnostic.code = { value: code, target: docs.with({ fragment: code }) };
    diagnostic.relatedInformation = layers.flatMap((layer) => {
      const called = layer.source?.called;
      // Of the same file only: others may have changed as well.
      if (called?.file !== file || called === placeOf(layer)) return [];
      const at = findLine(lines, called);
      return at === undefined || at === line ? [] : [related(called, at, lines[at]!, `"${layer.name}" is called here`)];
    });
    return diagnostic;
  }
}

const CHANGED_FILE = ' (From the run before this file was changed.)';
const CHANGED_RECIPE = ' (From the run before the recipe was changed.)';

function related(
  { file }: SourceLine,
  line: number,
  text: string,
  message: string,
): vscode.DiagnosticRelatedInformation {
  const start = text.length - text.trimStart().length;
  const range = new vscode.Range(line, start, line, text.trimEnd().length);
  return new vscode.DiagnosticRelatedInformation(new vscode.Location(vscode.Uri.file(file), range), message);
}

interface Source {
  readonly uri: vscode.Uri;
  readonly lines: readonly string[];
  /** When it was changed. */
  readonly time: number;
}

/** As it stands in the editor. */
async function readSource(uri: vscode.Uri): Promise<Source | undefined> {
  const open = vscode.workspace.textDocuments.find((document) => document.uri.toString() === uri.toString());
  try {
    const { mtime } = await vscode.workspace.fs.stat(uri);
    const text = open?.getText() ?? new TextDecoder().decode(await vscode.workspace.fs.readFile(uri));
    return { uri, lines: text.split(/\r?\n/), time: open?.isDirty === true ? Infinity : mtime };
  } catch {
    return undefined;
  }
}

/** `undefined` as long as it is broken. */
async function currentRecipe({ recipe: uri }: ModelEntry): Promise<Recipe | undefined> {
  try {
    const { examineRecipe } = await recipeLibrary();
    return examineRecipe(new TextDecoder().decode(await vscode.workspace.fs.readFile(uri))).recipe;
  } catch {
    return undefined;
  }
}

/** All fixes of the worst layer of a line, the first of each other. */
function actionsFor({ diagnostic, problem, report, entry }: Shown): vscode.CodeAction[] {
  const [worst] = problem.layers;
  const seen = new Set<string>();
  const fixes = problem.layers.flatMap((layer) => {
    const suggested = suggestFixes(report, layer.name);
    return layer === worst ? suggested : suggested.slice(0, 1).map((fix) => ({ ...fix, preferred: false }));
  });
  const actions = fixes
    .filter(({ title }) => !seen.has(title) && seen.add(title))
    .map(({ title, change, preferred }) => {
      const action = new vscode.CodeAction(title, vscode.CodeActionKind.QuickFix);
      action.command = { title, command: 'quantscope.applyFix', arguments: [entry.recipe, change] };
      action.isPreferred = preferred;
      return action;
    });
  const show = new vscode.CodeAction('Show in Layer View', vscode.CodeActionKind.QuickFix);
  show.command = {
    title: show.title,
    command: 'quantscope.layers.showInView',
    arguments: [{ entry, layer: worst?.name }],
  };
  for (const action of [...actions, show]) action.diagnostics = [diagnostic];
  return [...actions, show];
}
