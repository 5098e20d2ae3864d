/** Why int8 is not faster, told from the layers' times of one report. Pure. */

import { microseconds, number3, percent, quotient } from './format';
import type { RecipeChange } from './fixes';
import type { LayerReport, Report } from './report';
import type { Speedup } from './speed';

export const SLOW_CAUSES = [
  'conversions',
  'unpacked-weights',
  'small-island',
  'slow-kernel',
  'missing-isa',
  'threads',
] as const;
export type SlowCause = (typeof SLOW_CAUSES)[number];

export interface SlowFinding {
  readonly cause: SlowCause;
  /** Layers that it concerns; empty where it is the whole model. */
  readonly layers: readonly string[];
  /** One sentence: what was measured. */
  readonly message: string;
  /** What to do, for people. */
  readonly fix: string;
  /** The same as edits of the recipe, where it is one. */
  readonly changes: readonly RecipeChange[];
}

/** fp32 ÷ int8 at some number of threads, above 1 where int8 is faster. */
export interface Speed extends Speedup {
  readonly threads: number;
}

/** A layer that runs in int8 and gains nothing by it, at less than this, is left alone: it is timing noise. */
const NOTABLE = 0.02;
/** Less than this is noise of the timing of one kernel. */
const SLOWER = 1.1;
const CONVERSIONS_DEAR = 0.05;
/** Of the gain on one thread, what has to be left on several. */
const KEEPS = 0.8;

/**
 * @param speeds measured with one and with more threads; empty where that was not measured
 * @returns the costliest kind first; empty where nothing stands out or the report has no times
 */
export function explainSpeed(report: Report, speeds: readonly Speed[] = []): SlowFinding[] {
  // Layers that compute in float are no islands of int8, and their kernels are the float ones.
  if (report.mode === 'weight-only') return [...unpackedWeights(report), ...threads(speeds)];
  const islands = smallIslands(report);
  const inIslands = new Set(islands.flatMap(({ layers }) => layers));
  return [
    ...conversions(report),
    ...islands,
    ...slowKernels(report, inIslands),
    ...missingIsa(report),
    ...threads(speeds),
  ];
}

function sum(layers: readonly LayerReport[], side: 'int8' | 'fp32'): number {
  return layers.reduce((total, { time }) => total + (time[side] ?? 0), 0);
}

function keepFloat({ name }: LayerReport, because: string): RecipeChange {
  return { kind: 'override', override: { select: name, quantize: false, because } };
}

function conversions({ conversions: between, layers }: Report): SlowFinding[] {
  const all = sum(layers, 'int8') + (between?.int8 ?? 0);
  const spent = (between?.int8 ?? 0) - (between?.fp32 ?? 0);
  if (all === 0 || spent / all < CONVERSIONS_DEAR) return [];
  const fallen = layers.filter(({ status }) => status === 'fallback').map(({ name }) => name);
  const message = `Conversions between float, int8 and layouts take ${microseconds(spent)} more than in fp32, ${percent((100 * spent) / all)} of the int8 model.`;
  const fix =
    fallen.length > 0
      ? 'Every layer that falls back in the middle of int8 layers needs two conversions: see why those named are not in int8, or keep their int8 neighbours in float too.'
      : 'Keep short runs of int8 layers between float ones in float, or quantize the float layers between them.';
  return [{ cause: 'conversions', layers: fallen, message, fix, changes: [] }];
}

/** Layers whose weights alone are int8, and whose time goes to making floats of them before each product. */
function unpackedWeights({ layers }: Report): SlowFinding[] {
  const total = sum(layers, 'fp32');
  const slow = layers
    .filter((layer) => layer.status === 'quantized' && lossOf(layer) / total > NOTABLE)
    .toSorted((a, b) => lossOf(b) - lossOf(a));
  if (slow.length === 0) return [];
  const [int8, fp32] = [sum(slow, 'int8'), sum(slow, 'fp32')];
  const which = slow.length === 1 ? 'One layer unpacks its' : `${slow.length} layers unpack their`;
  const message = `${which} int8 weights to float in every run: ${microseconds(int8)}, in fp32 ${microseconds(fp32)}.`;
  const fix = 'Weight-only makes a model smaller, not faster: use `mode: dynamic` or `mode: static` for speed.';
  return [{ cause: 'unpacked-weights', layers: slow.map(({ name }) => name), message, fix, changes: [] }];
}

/** Runs of int8 layers that hang together, surrounded by float, and take as long as in fp32. */
function smallIslands(report: Report): SlowFinding[] {
  const islands = islandsOf(report.layers);
  const total = sum(report.layers, 'fp32');
  return islands.flatMap((layers): SlowFinding[] => {
    const [int8, fp32] = [sum(layers, 'int8'), sum(layers, 'fp32')];
    if (islands.length === 1 || fp32 === 0 || int8 < fp32 || int8 / total < NOTABLE / 2) return [];
    const names = layers.map(({ name }) => name);
    const run =
      names.length === 1
        ? 'An int8 layer between float ones takes'
        : `${names.length} int8 layers between float ones take`;
    const message = `${run} ${microseconds(int8)}, in fp32 ${microseconds(fp32)}, conversions not counted.`;
    const because = `int8 takes ${number3(quotient(int8, fp32))} times as long as fp32`;
    const fix = `Keep ${names.length === 1 ? 'it' : 'them'} in float: ${names.slice(0, 3).join(', ')}${names.length > 3 ? ', …' : '.'}`;
    return [{ cause: 'small-island', layers: names, message, fix, changes: layers.map((l) => keepFloat(l, because)) }];
  });
}

/** Connected by tensors that one writes and another reads. */
function islandsOf(layers: readonly LayerReport[]): LayerReport[][] {
  const int8 = layers.filter(({ status }) => status === 'quantized');
  const writers = new Map<string, number>();
  int8.forEach(({ tensors }, at) => {
    for (const { name, role } of tensors) if (role === 'output') writers.set(name, at);
  });
  // Every layer leads, over others of its island, to the first of them.
  const before = int8.map((_, at) => at);
  const firstOf = (layer: number): number => {
    let at = layer;
    while (before[at] !== at) at = before[at] = before[before[at]!]!;
    return at;
  };
  int8.forEach(({ tensors }, at) => {
    for (const { name, role } of tensors) {
      const writer = role === 'input' ? writers.get(name) : undefined;
      if (writer === undefined) continue;
      const [mine, theirs] = [firstOf(at), firstOf(writer)];
      before[Math.max(mine, theirs)] = Math.min(mine, theirs);
    }
  });
  const islands = new Map<number, LayerReport[]>();
  int8.forEach((layer, at) => {
    const first = firstOf(at);
    const island = islands.get(first);
    if (island === undefined) islands.set(first, [layer]);
    else island.push(layer);
  });
  return [...islands.values()];
}

function slowKernels({ layers }: Report, already: ReadonlySet<string>): SlowFinding[] {
  const total = sum(layers, 'fp32');
  const slow = layers
    .filter(({ name, status, time }) => {
      const { int8, fp32 } = time;
      if (status !== 'quantized' || already.has(name) || int8 === null || fp32 === null || fp32 === 0) return false;
      return int8 > SLOWER * fp32 && (int8 - fp32) / total > NOTABLE;
    })
    .toSorted((a, b) => lossOf(b) - lossOf(a));
  return slow.map((layer): SlowFinding => {
    const { name, op, kernel, time } = layer;
    const times = `${microseconds(time.int8 ?? 0)} in int8, ${microseconds(time.fp32 ?? 0)} in fp32`;
    const because = `int8 takes ${number3(quotient(time.int8 ?? 0, time.fp32 ?? 1))} times as long as fp32`;
    return {
      cause: 'slow-kernel',
      layers: [name],
      message: `${name} (${op}, kernel ${kernel ?? 'merged'}) takes ${times}.`,
      fix: 'Keep it in float where its neighbours are float too; between int8 layers the two conversions may cost more.',
      changes: [keepFloat(layer, because)],
    };
  });
}

/** What int8 loses against fp32, in microseconds; 0 where a time is missing. */
export function lossOf({ time }: Pick<LayerReport, 'time'>): number {
  return time.int8 === null || time.fp32 === null ? 0 : time.int8 - time.fp32;
}

function missingIsa({ environment }: Report): SlowFinding[] {
  if (!environment.saturates) return [];
  return [
    {
      cause: 'missing-isa',
      layers: [],
      message: `This CPU (${environment.cpu}) has no VNNI: its int8 products take three instructions where VNNI takes one.`,
      fix: 'Measure on the CPU that the model is deployed on; name it by `isa` in the recipe.',
      changes: [],
    },
  ];
}

function threads(speeds: readonly Speed[]): SlowFinding[] {
  const [one, ...more] = speeds;
  const many = more.at(-1);
  // Where nothing is gained on one thread, nothing is lost on more.
  if (one === undefined || many === undefined || one.ratio < SLOWER) return [];
  if (many.ratio - 1 >= KEEPS * (one.ratio - 1)) return [];
  const message = `int8 is ${number3(one.ratio)} times as fast on ${one.threads} thread, ${number3(many.ratio)} times on ${many.threads}: its layers are too short to share out.`;
  const fix = 'Give the int8 session fewer threads (`intraOpNumThreads`), and run several inferences side by side.';
  return [{ cause: 'threads', layers: [], message, fix, changes: [] }];
}
