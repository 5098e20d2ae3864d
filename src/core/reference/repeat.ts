/** Whether the fp32 model answers the same sample alike, since what does not cannot tell what quantizing changed. */

import { QuantscopeError } from '../../shared/errors';
import { decibels, plural } from '../../shared/format';
import { sqnrOf } from '../../shared/measured';
import type { RandomReport } from '../../shared/report';
import { ErrorAccumulator } from '../analyze/errors';
import type { Dataset, Feeds } from '../data/types';
import { graphOf, type OnnxModel } from '../onnx/model';
import { openSession } from '../runtime/session';
import { isFloatType, toFloat32, type Tensor } from '../tensor';
import { randomNodes } from './seed';

/** So many samples are run twice. */
const SAMPLES = 2;
/** dB: threads that add in another order differ by less. */
const SAME = 100;

type Outputs = Readonly<Record<string, Tensor>>;

/** SQNR of the second against the first at the worst output; `null` where they are the same, −Infinity for another size. */
export function apart(first: readonly Outputs[], second: readonly Outputs[]): number | null {
  const names = new Set(first.flatMap((outputs) => Object.keys(outputs)));
  const found = [...names].map((name) => {
    const errors = new ErrorAccumulator();
    for (const [i, outputs] of first.entries()) {
      const [x, y] = [outputs[name], second[i]?.[name]];
      if (x === undefined || y === undefined || String(x.dims) !== String(y.dims)) return -Infinity;
      if (isFloatType(x.type)) errors.add(String(i), toFloat32(x), toFloat32(y));
      else if (x.data.some((value, at) => value !== y.data[at])) return -Infinity;
    }
    return sqnrOf(errors.result()) ?? Infinity;
  });
  const worst = Math.min(Infinity, ...found);
  return worst >= SAME ? null : worst;
}

/**
 * Runs a sample or two twice. Where operators draw from a seed, two new sessions are compared as well.
 * @param model as it is compared: with its seeds
 * @returns `null` where it answers alike
 */
export async function randomness(
  model: OnnxModel,
  dataset: Pick<Dataset, 'samples'>,
  { threads, signal }: { readonly threads?: number; readonly signal?: AbortSignal } = {},
): Promise<RandomReport | null> {
  const feeds: Feeds[] = [];
  for await (const sample of dataset.samples(signal)) {
    feeds.push(sample.feeds);
    if (feeds.length === SAMPLES) break;
  }
  const runs = async (times: number): Promise<Outputs[][]> => {
    const session = await openSession(model, threads === undefined ? {} : { threads });
    try {
      const all: Outputs[][] = [];
      for (let i = 0; i < times; i++) {
        const each: Outputs[] = [];
        for (const feed of feeds) each.push(await session.run(feed));
        all.push(each);
      }
      return all;
    } finally {
      await session.close();
    }
  };
  const [first = [], second = []] = await runs(2);
  const sqnr = apart(first, second);
  if (sqnr === null) return null;
  const nodes = randomNodes(graphOf(model));
  const repeats = nodes.length > 0 && apart([...first, ...second], (await runs(2)).flat()) === null;
  return { sqnr: Number.isFinite(sqnr) ? sqnr : null, nodes: nodes.map(({ name, opType }) => name || opType), repeats };
}

const NAMED = 3;

/** What the run says of it. */
export function randomWarnings(random: RandomReport | null): string[] {
  if (random === null) return [];
  const { sqnr, nodes, repeats } = random;
  const by = nodes.length === 0 ? '' : ` (${named(nodes)})`;
  const differs = sqnr === null ? 'gives outputs of another size or class' : `has ${decibels(sqnr)} against itself`;
  const what = `The model is random${by}: on the same sample fp32 ${differs} from one run to the next.`;
  return [
    repeats
      ? `${what} Both models were compared with the same random numbers; the int8 model that was written draws its own.`
      : `${what} Its errors are those of that, not of quantizing: make it deterministic, such as in evaluation mode or by a noise input of zero. Causes, prices and searches are refused until then.`,
  ];
}

function named(nodes: readonly string[]): string {
  const list = nodes.slice(0, NAMED).map((name) => `"${name}"`);
  const more = nodes.length - list.length;
  return `${list.join(', ')}${more > 0 ? ` and ${plural(more, 'other')}` : ''}`;
}

/**
 * Before anything is searched for by comparing with fp32.
 * @throws `reference-random` where it does not answer alike, even with seeds
 */
export async function assertRepeats(
  model: OnnxModel,
  dataset: Pick<Dataset, 'samples'>,
  context: { readonly threads?: number; readonly signal?: AbortSignal },
): Promise<void> {
  const random = await randomness(model, dataset, context);
  if (random === null || random.repeats) return;
  const figure = random.sqnr === null ? '' : ` (${decibels(random.sqnr)} against itself)`;
  throw new QuantscopeError(
    'reference-random',
    `The fp32 model answers the same sample differently each time${figure}.`,
  );
}
