/** The tools for agents, over the Model Context Protocol. Each is a job or a report that the terminal has too. */

import { readFile } from 'node:fs/promises';
import * as path from 'node:path';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { z } from 'zod';
import { writeFileAtomic } from '../../core/files';
import { readFinding } from '../../core/findingFiles';
import { readRecipe } from '../../core/recipeFile';
import { readReport, REPORT_FILE, resultFolder } from '../../core/reportFile';
import { QuantscopeError, toQuantscopeError } from '../../shared/errors';
import type { EngineClient } from '../../engine/client';
import { tunedRecipe } from '../../shared/tunedRecipe';
import { locateReport } from '../commands/shared';
import { SORTS } from '../layers';
import { defaultOutDir } from '../summary';
import { benchmarkAnswer, layerAnswer, layersAnswer, pricesAnswer, runAnswer, tuneAnswer } from './answers';

export interface McpServices {
  readonly cwd: string;
  readonly version: string;
  readonly engine: Pick<EngineClient, 'request'>;
}

const MOST_ROWS = 50;

const reportArgument = z
  .string()
  .describe('A NAME.quant.yaml that was run, a report.json, or the folder that holds it.');
const recipeArgument = z.string().describe('A NAME.quant.yaml.');
const samplesArgument = z.int().positive().optional().describe('Samples to judge by. Default 100.');

/** @returns a server with every tool, not connected yet */
export function mcpServer({ cwd, version, engine }: McpServices): McpServer {
  const server = new McpServer({ name: 'quantscope', version });
  const readOnly = { annotations: { readOnlyHint: true } };

  server.registerTool(
    'list_layers',
    {
      title: 'Layers by error',
      description:
        'The layers of a quantization run: status, reason, error in dB, times. Worst first by default; paged.',
      inputSchema: {
        report: reportArgument,
        sort: z.enum(SORTS).optional().describe('sqnr: own error, worst first (default); time: slowest first; order.'),
        offset: z.int().nonnegative().optional(),
        limit: z.int().positive().max(MOST_ROWS).optional().describe('Default 10.'),
      },
      ...readOnly,
    },
    ({ report, sort = 'sqnr', offset = 0, limit = 10 }) =>
      answer(async () => layersAnswer(await readReport((await locate(report)).report), sort, { offset, limit })),
  );

  server.registerTool(
    'explain_layer',
    {
      title: 'One layer explained',
      description:
        'Why a layer has its error or is not in int8: ranges, kernel, verdict where culprits were found, fixes.',
      inputSchema: { report: reportArgument, layer: z.string() },
      ...readOnly,
    },
    ({ report, layer }) =>
      answer(async () => {
        const place = await locate(report);
        const read = await readReport(place.report);
        const found = layerAnswer(read, await readFinding(resultFolder(place.report), read, 'culprits'), layer);
        if (found !== undefined) return found;
        throw new QuantscopeError('selector-unmatched', `The report has no layer "${layer}".`);
      }),
  );

  server.registerTool(
    'try_fixes',
    {
      title: 'Prices of fixes',
      description: 'Tries suggested fixes without writing anything: what each brings and costs, with 95 % intervals.',
      inputSchema: {
        report: reportArgument,
        layer: z.string().optional().describe('Only the fixes of this layer.'),
        most: z.int().positive().max(MOST_ROWS).optional().describe('Default 4.'),
        samples: samplesArgument,
      },
      ...readOnly,
    },
    ({ report, layer, most = 4, samples }, { signal }) =>
      answer(async () => {
        const input = { ...(await locate(report)), most, ...given({ layer, samples }) };
        return pricesAnswer(await engine.request('prices', input, { signal }));
      }),
  );

  server.registerTool(
    'run',
    {
      title: 'Quantize by a recipe',
      description: 'Quantizes as the recipe says, holds its gates against the result, writes model and report.',
      inputSchema: { recipe: recipeArgument },
    },
    ({ recipe: file }, { signal }) =>
      answer(async () => {
        const { recipe, baseDir, outDir } = await openRecipe(file);
        const report = await engine.request('quantize', { recipe, baseDir, outDir }, { signal });
        return runAnswer(report, path.join(outDir, REPORT_FILE));
      }),
  );

  server.registerTool(
    'tune',
    {
      title: 'Search a recipe that holds a goal',
      description: 'Tries changes of the recipe until the goal holds with the most in int8. Writes only when asked to.',
      inputSchema: {
        recipe: recipeArgument,
        maxDrop: z.number().optional().describe('Points of top-1, or of agreement without labels.'),
        minSqnr: z.number().optional().describe('dB at the worst output.'),
        maxLatencyRatio: z.number().positive().optional().describe('Time of int8 ÷ time of fp32.'),
        samples: samplesArgument,
        write: z.boolean().optional().describe('Write the result into the recipe. Default false.'),
      },
    },
    ({ recipe: file, maxDrop, minSqnr, maxLatencyRatio, samples, write }, { signal }) =>
      answer(async () => {
        const { location, ...job } = await openRecipe(file);
        const goal = given({ maxDrop, minSqnr, maxLatencyRatio });
        const tuning = await engine.request('tune', { ...job, goal, ...given({ samples }) }, { signal });
        const text = tunedRecipe(await readFile(location, 'utf8'), tuning.best.changes);
        if (write === true) await writeFileAtomic(location, text);
        return tuneAnswer(tuning, text);
      }),
  );

  server.registerTool(
    'benchmark',
    {
      title: 'Speed of models',
      description:
        'Times models against each other, run alternately; milliseconds, and how much faster than the first.',
      inputSchema: {
        models: z.array(z.string()).min(1).describe('ONNX files; the others are compared with the first.'),
        runs: z.int().positive().optional(),
        threads: z.int().positive().optional(),
      },
      ...readOnly,
    },
    ({ models, runs, threads }, { signal }) =>
      answer(async () => {
        const input = { models, baseDir: cwd, ...given({ runs, threads }) };
        return benchmarkAnswer(await engine.request('benchmark', input, { signal }));
      }),
  );

  const locate = (file: string): ReturnType<typeof locateReport> => locateReport(path.resolve(cwd, file), cwd);

  const openRecipe = async (file: string): Promise<Awaited<ReturnType<typeof openAt>>> =>
    openAt(path.resolve(cwd, file));

  return server;
}

async function openAt(location: string): Promise<{
  readonly location: string;
  readonly recipe: Awaited<ReturnType<typeof readRecipe>>['recipe'];
  readonly baseDir: string;
  readonly outDir: string;
}> {
  const { recipe } = await readRecipe(location);
  const baseDir = path.dirname(location);
  return { location, recipe, baseDir, outDir: defaultOutDir(path.resolve(baseDir, recipe.model)) };
}

type Given<T> = { readonly [K in keyof T]?: NonNullable<T[K]> };

/** Without what was left out. */
function given<T extends Readonly<Record<string, unknown>>>(values: T): Given<T> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Given<T>;
}

interface Answer {
  readonly [key: string]: unknown;
  readonly content: { readonly type: 'text'; readonly text: string }[];
  readonly isError?: boolean;
}

/** A failure is an answer too: the agent reads its code and what to do about it. */
async function answer(make: () => Promise<object>): Promise<Answer> {
  try {
    return { content: [{ type: 'text', text: JSON.stringify(await make()) }] };
  } catch (error) {
    return { content: [{ type: 'text', text: JSON.stringify(toQuantscopeError(error).toData()) }], isError: true };
  }
}
