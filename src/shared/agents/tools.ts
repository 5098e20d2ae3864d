/**
 * The tools for agents, as one table: `quantscope mcp` offers them over the Model Context Protocol, the extension to
 * the language models of the editor. Each is a job or a report that people have too; answers are small and paged.
 */

import { z } from 'zod';
import { toQuantscopeError, QuantscopeError, type ErrorCode } from '../errors';
import { SORTS } from '../layerOrder';
import { tunedRecipe } from '../tunedRecipe';
import type { TuneGoal } from '../tuning';
import { benchmarkAnswer, layerAnswer, layersAnswer, pricesAnswer, runAnswer, tuneAnswer } from './answers';
import type { AgentHost } from './host';

/**
 * `reads`: only files. `runs`: a model, and changes neither it nor its recipe. `writes`: files beside the model, or the
 * recipe.
 */
export type Effect = 'reads' | 'runs' | 'writes';

export interface AgentTool<S extends z.ZodObject = z.ZodObject> {
  readonly title: string;
  /** For the model: what it does, and what not. */
  readonly description: string;
  readonly effect: Effect;
  readonly input: S;
  readonly answer: (input: z.infer<S>, host: AgentHost) => Promise<object>;
}

function tool<S extends z.ZodObject>(definition: AgentTool<S>): AgentTool {
  return definition;
}

const MOST_ROWS = 50;

const report = z.string().describe('A NAME.quant.yaml that was run, a report.json, or the folder that holds it.');
const recipe = z.string().describe('A NAME.quant.yaml.');
const samples = z.int().positive().optional().describe('Samples to judge by. Default 100.');

export const AGENT_TOOLS = {
  list_layers: tool({
    title: 'Layers by error',
    description: 'The layers of a quantization run: status, reason, error in dB, times. Worst first by default; paged.',
    effect: 'reads',
    input: z.object({
      report,
      sort: z.enum(SORTS).optional().describe('sqnr: own error, worst first (default); time: slowest first; order.'),
      offset: z.int().nonnegative().optional().describe('Rows to leave out; the answer tells the next.'),
      limit: z.int().positive().max(MOST_ROWS).optional().describe('Default 10.'),
    }),
    answer: async ({ report: place, sort = 'sqnr', offset = 0, limit = 10 }, host) =>
      layersAnswer((await host.report(place)).report, sort, { offset, limit }),
  }),

  explain_layer: tool({
    title: 'One layer explained',
    description:
      'Why a layer has its error or is not in int8: ranges, kernel, verdict and causes where culprits were found, fixes and ' +
      'what those tried before bring and cost.',
    effect: 'reads',
    input: z.object({ report, layer: z.string().describe('Its name, as list_layers tells it.') }),
    answer: async ({ report: place, layer }, host) => {
      const found = await host.report(place);
      const [culprits, prices] = [await found.finding('culprits'), await found.finding('prices')];
      const answer = layerAnswer(found.report, culprits, prices, layer);
      if (answer !== undefined) return answer;
      throw new QuantscopeError('selector-unmatched', `The report has no layer "${layer}".`);
    },
  }),

  try_fixes: tool({
    title: 'Prices of fixes',
    description:
      'Tries suggested fixes and applies none: what each brings and costs, with 95 % intervals, kept beside the report.',
    effect: 'runs',
    input: z.object({
      report,
      layer: z.string().optional().describe('Only the fixes of this layer.'),
      most: z.int().positive().max(MOST_ROWS).optional().describe('Default 4.'),
      samples,
    }),
    answer: async ({ report: place, layer, most = 4, samples: count }, host) => {
      const { file, baseDir } = await host.report(place);
      const input = { report: file, baseDir, most, ...given({ layer, samples: count }) };
      return pricesAnswer(await host.run('prices', input, file));
    },
  }),

  run: tool({
    title: 'Quantize by a recipe',
    description: 'Quantizes as the recipe says, holds its gates against the result, writes model and report.',
    effect: 'writes',
    input: z.object({ recipe }),
    answer: async ({ recipe: place }, host) => {
      const { recipe: read, baseDir, outDir, file } = await host.recipe(place);
      return runAnswer(await host.run('quantize', { recipe: read, baseDir, outDir }, file), `${outDir}/report.json`);
    },
  }),

  tune: tool({
    title: 'Search a recipe that holds a goal',
    description: 'Tries changes of the recipe until the goal holds with the most in int8. Writes only when asked to.',
    effect: 'writes',
    input: z.object({
      recipe,
      maxDrop: z.number().optional().describe('Points of top-1, or of agreement without labels.'),
      minSqnr: z.number().optional().describe('dB at the worst output.'),
      maxLatencyRatio: z.number().positive().optional().describe('Time of int8 ÷ time of fp32.'),
      samples,
      write: z.boolean().optional().describe('Write the result into the recipe. Default false.'),
    }),
    answer: async ({ recipe: place, maxDrop, minSqnr, maxLatencyRatio, samples: count, write }, host) => {
      const found = await host.recipe(place);
      const { recipe: read, baseDir, outDir, file } = found;
      const goal: TuneGoal = given({ maxDrop, minSqnr, maxLatencyRatio });
      const input = { recipe: read, baseDir, outDir, goal, ...given({ samples: count }) };
      const tuning = await host.run('tune', input, file);
      const text = tunedRecipe(found.text, tuning.best.changes);
      if (write === true) await host.write(found, text);
      return tuneAnswer(tuning, text);
    },
  }),

  benchmark: tool({
    title: 'Speed of models',
    description: 'Times models against each other, run alternately; milliseconds, and how much faster than the first.',
    effect: 'runs',
    input: z.object({
      models: z.array(z.string()).min(1).describe('ONNX files; the others are compared with the first.'),
      runs: z.int().positive().optional().describe('Timed runs of each. Default 100.'),
      threads: z.int().positive().optional().describe('Default 1.'),
    }),
    answer: async ({ models, runs, threads }, host) => {
      const files = models.map((file) => host.absolute(file));
      const input = { models: files, baseDir: '.', ...given({ runs, threads }) };
      return benchmarkAnswer(await host.run('benchmark', input, files[0] ?? ''));
    },
  }),
} as const satisfies Readonly<Record<string, AgentTool>>;

export type AgentToolName = keyof typeof AGENT_TOOLS;
export const AGENT_TOOL_NAMES = Object.keys(AGENT_TOOLS) as AgentToolName[];

/** Of the terminal's advice, what an agent can do nothing with: it may not allow code to run. */
const AGENT_HINTS: Readonly<Partial<Record<ErrorCode, string>>> = {
  'data-untrusted': 'Tools for agents run no code of a data module. A person who trusts it can run the recipe.',
  'torch-untrusted': 'Tools for agents run no Python of a model. A person who trusts it can run the recipe.',
};

export interface AgentAnswer {
  /** One JSON document. */
  readonly text: string;
  readonly failed: boolean;
}

/**
 * A failure is an answer too: the agent reads its code and what to do about it.
 * @throws `cancelled`, since nobody reads that answer
 */
export async function callTool(name: AgentToolName, input: unknown, host: AgentHost): Promise<AgentAnswer> {
  const { input: schema, answer } = AGENT_TOOLS[name];
  try {
    const parsed = schema.safeParse(input);
    if (!parsed.success) throw new QuantscopeError('usage', z.prettifyError(parsed.error));
    return { text: JSON.stringify(await answer(parsed.data, host)), failed: false };
  } catch (error) {
    const { code, message, hint } = toQuantscopeError(error);
    if (code === 'cancelled') throw error;
    return { text: JSON.stringify({ code, message, hint: AGENT_HINTS[code] ?? hint }), failed: true };
  }
}

type Given<T> = { readonly [K in keyof T]?: NonNullable<T[K]> };

/** Without what was left out. */
function given<T extends Readonly<Record<string, unknown>>>(values: T): Given<T> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Given<T>;
}
