/** What a plan learns from what the runtime made of it. Pure. */

import type { Concession, Concessions, Plan, PlannedLayer } from '../plan/types';
import { stemOf, type Verdict } from './kernels';

/**
 * What to try next where the runtime computes layers in float that were to be int8: all of them at once.
 * @returns `null` where there is none
 */
export function replan(plan: Plan, verdicts: ReadonlyMap<string, Verdict>, tried: Concessions): Concessions | null {
  const left = plan.layers.filter(
    ({ name, quantize }) => quantize && verdicts.get(name)?.reason === 'runtime-not-fused',
  );
  if (left.length === 0) return null;
  return new Map([...tried, ...left.map((layer) => [layer.name, nextFor(layer, verdicts, tried)] as const)]);
}

/** A product that became a Gemm took the Add behind it along, whose bias has to be int32 then. */
function nextFor(
  { name, op, bias }: PlannedLayer,
  verdicts: ReadonlyMap<string, Verdict>,
  tried: Concessions,
): Concession {
  const becameGemm = verdicts.get(name)?.kernel?.endsWith('Gemm') === true;
  return op === 'MatMul' && bias === null && becameGemm && !tried.has(name) ? 'bias' : 'runtime-not-fused';
}

/** The int8 layers whose kernels a message of the runtime is about. */
export function layersNamedIn(message: string, plan: Plan): string[] {
  const matches = message.matchAll(/Name:\s?'([^']+)'|Node \(([^)]+)\)/g);
  const named = new Set([...matches].map(([, kernel, node]) => stemOf(kernel ?? node ?? '')));
  const layers = plan.layers.filter(
    ({ quantize, node, fused }) => quantize && [node, ...fused].some(({ name }) => named.has(name)),
  );
  return layers.map(({ name }) => name);
}

/** From this many on a kernel is taken to reject a kind of layer, for each run names but one. */
const MOST_OF_A_KIND = 8;

/** The layers that a kernel rejects, and all others of their kind where it rejected several before. */
export function withKin(named: readonly string[], { layers }: Plan, tried: Concessions): readonly string[] {
  const kindOf = ({ op, weight }: PlannedLayer): string => `${op} ${weight?.axis ?? ''}`;
  const kinds = new Map(layers.map((layer) => [layer.name, kindOf(layer)]));
  const rejected = [...tried].flatMap(([name, concession]) => (concession === 'runtime-rejected' ? [name] : []));
  const isRejected = (kind: string): boolean =>
    named.some((name) => kinds.get(name) === kind) &&
    rejected.filter((name) => kinds.get(name) === kind).length >= MOST_OF_A_KIND;
  const kin = layers.filter((layer) => layer.quantize && isRejected(kindOf(layer)));
  return kin.length === 0 ? named : kin.map(({ name }) => name);
}

/**
 * Those of `items` without which nothing fails, found by halves: about log₂ n probes each.
 * @param fails whether just these together fail; with none of them nothing does
 */
export async function failing(
  items: readonly string[],
  fails: (items: readonly string[]) => Promise<boolean>,
): Promise<string[]> {
  const found: string[] = [];
  for (let rest = items; rest.length > 0 && (await fails(rest));) {
    // The shortest beginning that fails ends with one that makes it fail.
    let [fine, bad] = [0, rest.length];
    while (bad - fine > 1) {
      const middle = (fine + bad) >> 1;
      if (await fails(rest.slice(0, middle))) bad = middle;
      else fine = middle;
    }
    found.push(rest[bad - 1]!);
    rest = rest.filter((_, index) => index !== bad - 1);
  }
  return found;
}
