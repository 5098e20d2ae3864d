/**
 * What a person asks about a run after it: where its error comes from, what fixes bring and cost, why int8 is slow.
 * Answers lie beside the report, where the views read them.
 * Commands: `quantscope.findCulprits`, `quantscope.measurePrices`, `quantscope.explainSpeed`, each of a model;
 * `quantscope.stopPrices` for the fixes that are tried in the background.
 */

import * as vscode from 'vscode';
import type { Benchmark } from '../../shared/benchmark';
import { QuantscopeError } from '../../shared/errors';
import { FINDING_FILES, speedCheck, type SpeedCheck } from '../../shared/findings';
import { percent, plural, printable } from '../../shared/format';
import { comparePriced, judge } from '../../shared/judgement';
import type { Prices } from '../../shared/price';
import { briefPrice } from '../../shared/priceText';
import type { Report } from '../../shared/report';
import { explainSpeed } from '../../shared/slowness';
import { byBlame, type Culprits } from '../../shared/verdicts';
import { speedBeside } from '../../shared/speed';
import { registerPricesStatus } from './pricesStatus';
import { baseFolder } from './read';
import type { JobContext } from '../jobs/jobRunner';
import type { ModelEntry } from '../results';
import { registerUserCommands, type Services } from '../services';
import { setting } from '../settings';
import { entryFor, mayRun, onnxOnly } from '../targets';

export function registerFindings(services: Services): vscode.Disposable {
  /** Asks about one model, and tells in a notification what came out. */
  const about =
    <T>(
      ask: (services: Services, entry: ModelEntry) => Promise<T | undefined>,
      told: (entry: ModelEntry, answer: T) => string,
    ) =>
    async (...args: unknown[]): Promise<void> => {
      const entry = await entryFor(services, args);
      const answer = entry === undefined ? undefined : await ask(services, entry);
      if (entry !== undefined && answer !== undefined) void show(entry, told(entry, answer));
    };
  return vscode.Disposable.from(
    registerPricesStatus(services),
    registerUserCommands({
      'quantscope.findCulprits': about(findCulprits, culpritsSentence),
      'quantscope.measurePrices': about(measurePrices, pricesSentence),
      'quantscope.stopPrices': async () => {
        services.prices.stop();
        return Promise.resolve();
      },
      'quantscope.explainSpeed': about(explainSpeedOf, speedSentence),
    }),
  );
}

const OPEN_VIEW = 'Open Layer View';

async function show(entry: ModelEntry, sentence: string): Promise<void> {
  if ((await vscode.window.showInformationMessage(sentence, OPEN_VIEW)) === OPEN_VIEW) {
    await vscode.commands.executeCommand('quantscope.openLayerView', entry.recipe);
  }
}

/** @throws `file-not-found` where the model has not been quantized, and what the engine throws */
export async function findCulprits(services: Services, entry: ModelEntry): Promise<Culprits | undefined> {
  if (!(await mayRun(entry))) return undefined;
  const report = await lastReport(services, entry);
  const input = { ...placeOf(entry, report), threshold: setting('threshold', entry.model) };
  return run(services, entry, 'Finding culprits of', 'analyze', (context) =>
    services.engine.request('culprits', input, context),
  );
}

/** @param layer only its fixes; by default those of the model and of the layers to blame */
export async function measurePrices(
  services: Services,
  entry: ModelEntry,
  layer?: string,
): Promise<Prices | undefined> {
  if (!(await mayRun(entry))) return undefined;
  const report = await lastReport(services, entry);
  const input = { ...placeOf(entry, report), ...(layer === undefined ? {} : { layer }) };
  return run(services, entry, 'Trying fixes of', 'tune', (context) =>
    services.engine.request('prices', input, context),
  );
}

interface Explained {
  readonly report: Report;
  readonly speed: SpeedCheck;
}

/** On one thread, and on as many as the setting says where those are more. */
export async function explainSpeedOf(services: Services, entry: ModelEntry): Promise<Explained | undefined> {
  if (!(await mayRun(entry))) return undefined;
  const report = await lastReport(services, entry);
  if (report.quantized === null)
    throw new QuantscopeError('file-not-found', `${entry.name} has no int8 model to time.`);
  const { path } = report.quantized;
  const int8 = vscode.Uri.joinPath(
    entry.folder,
    path.slice(Math.max(path.lastIndexOf('/'), path.lastIndexOf('\\')) + 1),
  );
  const { availableParallelism } = await import('node:os');
  const most = Math.max(setting('benchmark.threads', entry.model), availableParallelism());
  const input = {
    models: [entry.model.fsPath, int8.fsPath],
    runs: setting('benchmark.runs', entry.model),
    baseDir: placeOf(entry, report).baseDir,
  };
  return run(services, entry, 'Timing', 'benchmark', async (context) => {
    const benchmarks: Benchmark[] = [];
    for (const threads of most > 1 ? [1, most] : [1]) {
      benchmarks.push(await services.engine.request('benchmark', { ...input, threads }, context));
    }
    const speed = speedCheck(report, benchmarks);
    await write(vscode.Uri.joinPath(entry.folder, FINDING_FILES.speed), speed);
    return { report, speed };
  });
}

/** The whole file or none of it. */
async function write(uri: vscode.Uri, value: object): Promise<void> {
  const temporary = uri.with({ path: `${uri.path}.tmp` });
  try {
    await vscode.workspace.fs.writeFile(temporary, new TextEncoder().encode(`${JSON.stringify(value, null, 1)}\n`));
    await vscode.workspace.fs.rename(temporary, uri, { overwrite: true });
  } catch (error) {
    throw new QuantscopeError('file-unwritable', `${uri.fsPath} could not be written.`, { cause: error });
  }
}

async function run<T>(
  { jobs, results }: Services,
  entry: ModelEntry,
  title: string,
  stage: 'analyze' | 'tune' | 'benchmark',
  work: (context: JobContext) => Promise<T>,
): Promise<T> {
  const found = await jobs.run({ title, entry, stage }, work);
  results.refresh();
  return found;
}

/** @throws `file-not-found` where there is none */
async function lastReport({ results }: Services, entry: ModelEntry): Promise<Report> {
  onnxOnly(entry);
  const report = await results.report(entry);
  if (report === undefined) {
    throw new QuantscopeError('file-not-found', `${entry.name} has no run yet to ask about.`, {
      hint: 'Quantize it first.',
    });
  }
  return report;
}

function placeOf(entry: ModelEntry, report: Report): { readonly report: string; readonly baseDir: string } {
  return { report: entry.report.fsPath, baseDir: baseFolder(entry, report).fsPath };
}

function culpritsSentence({ name }: ModelEntry, { layers, causes }: Culprits): string {
  const [worst] = layers.toSorted(byBlame);
  const found = layers.filter(({ verdict }) => verdict === 'culprit').length;
  const first =
    worst === undefined || worst.verdict === 'harmless'
      ? 'no layer stands out.'
      : `${plural(found, 'culprit')}; ${printable(worst.layer)} makes ${percent(worst.share)} of the error at the outputs.`;
  return [`${name}: ${first}`, ...causes.slice(0, 1).map(({ sentence }) => printable(sentence))].join(' ');
}

function pricesSentence({ name }: ModelEntry, { fixes }: Prices): string {
  const tried = `${name}: ${plural(fixes.length, 'fix', 'fixes')} tried`;
  const [best] = fixes.toSorted(comparePriced);
  if (best === undefined || judge(best) !== 'better') return `${tried}, none beyond the noise.`;
  return `${tried}. Best: ${printable(best.fix.title)}, ${briefPrice(best)}.`;
}

function speedSentence({ name }: ModelEntry, { report, speed }: Explained): string {
  const [one] = speed.timings;
  const [reason] = explainSpeed(report, speed.timings);
  const ratio = one === undefined ? '' : ` int8 is ${speedBeside(one, 'fp32')}.`;
  return `${name}:${ratio} ${printable(reason?.message ?? 'Nothing stands out.')}`;
}
