/**
 * The parts of a model's outputs that are measured apart, since one SQNR over quantities of unlike range is that of the
 * larger alone: what a Concat joins, and channels of unlike range.
 */

import type { Graph } from '../onnx/graph';
import type { TensorInfo } from '../runtime/session';
import { isFloatType, toFloat32, type Tensor } from '../tensor';
import { joinedParts, MOST_PARTS, type Labels } from './joined';
import { rangedParts, type RangedParts } from './ranged';

/** What is measured as one: an output, or a part of it. */
export interface Unit {
  readonly output: string;
  /** `null` for an output of one piece. */
  readonly part: { readonly name: string; readonly where: string } | null;
}

/** The outputs of one sample by name, in the order of the model. */
export type Outputs = Readonly<Record<string, Tensor>>;

/** So many samples tell the range of a channel. */
export const RANGE_SAMPLES = 8;

interface Layout {
  readonly parts: readonly { readonly name: string; readonly where: string }[];
  /** Of each part the places of its values. */
  readonly places: readonly Int32Array[];
}

export class OutputParts {
  readonly units: readonly Unit[];
  readonly #graph: Graph;
  readonly #tensors: ReadonlyMap<string, TensorInfo>;
  readonly #ranged: ReadonlyMap<string, RangedParts>;
  /** By name of the output, its first unit. */
  readonly #first = new Map<string, number>();
  /** By name and dimensions; `null` for an output of one piece. */
  readonly #layouts = new Map<string, Layout | null>();

  /**
   * @param graph of the fp32 model, whose tensors are described as far as they are known
   * @param samples what fp32 makes of the first few
   */
  constructor(graph: Graph, tensors: ReadonlyMap<string, TensorInfo>, samples: readonly Outputs[]) {
    this.#graph = graph;
    this.#tensors = tensors;
    const [first = {}] = samples;
    const floats = Object.entries(first).filter(([, { type }]) => isFloatType(type));
    this.#ranged = new Map(
      floats.flatMap(([name, { dims }]) => {
        const alike = samples
          .slice(0, RANGE_SAMPLES)
          .flatMap(({ [name]: tensor }) =>
            tensor !== undefined && String(tensor.dims) === String(dims) ? [toFloat32(tensor)] : [],
          );
        const found = rangedParts(dims, alike);
        return found === undefined ? [] : [[name, found] as const];
      }),
    );
    this.units = floats.flatMap(([output, { dims }]): Unit[] => {
      const layout = this.#layout(output, dims);
      return layout === null ? [{ output, part: null }] : layout.parts.map((part) => ({ output, part }));
    });
    this.units.forEach(({ output }, index) => {
      if (!this.#first.has(output)) this.#first.set(output, index);
    });
  }

  /**
   * The values of an output, unit by unit.
   * @returns none where its parts are not those of the first sample
   */
  pieces(output: string, tensor: Tensor): readonly { readonly unit: number; readonly values: Float32Array }[] {
    const first = this.#first.get(output);
    if (first === undefined) return [];
    const values = toFloat32(tensor);
    const layout = this.#layout(output, tensor.dims);
    const wanted = this.units.filter((unit) => unit.output === output);
    if (layout === null) return wanted.length === 1 ? [{ unit: first, values }] : [];
    if (layout.parts.length !== wanted.length) return [];
    return layout.places.map((places, index) => ({
      unit: first + index,
      values: Float32Array.from(places, (place) => values[place]!),
    }));
  }

  #layout(output: string, dims: readonly number[]): Layout | null {
    const key = JSON.stringify([output, dims]);
    const known = this.#layouts.get(key);
    if (known !== undefined) return known;
    const labels = labelsOf(joinedParts(this.#graph, this.#tensors, output, dims), this.#ranged.get(output), dims);
    const made = labels === undefined ? null : layoutOf(labels, dims);
    this.#layouts.set(key, made);
    return made;
  }
}

/** Both at once: a part that a Concat tells may hold quantities of unlike range itself. */
function labelsOf(
  joined: Labels | undefined,
  ranged: RangedParts | undefined,
  dims: readonly number[],
): Labels | undefined {
  const split = ranged === undefined ? undefined : rangeLabels(ranged, dims);
  if (joined === undefined || split === undefined) return joined ?? split;
  const numbers = new Map<number, number>();
  const parts: string[] = [];
  const of = joined.of.map((label, i) => {
    const pair = label * split.parts.length + split.of[i]!;
    const known = numbers.get(pair);
    if (known !== undefined) return known;
    numbers.set(pair, parts.length);
    parts.push(joined.parts[label]!);
    return parts.length - 1;
  });
  return parts.length > MOST_PARTS ? split : { parts, of };
}

function rangeLabels({ axis, groups }: RangedParts, dims: readonly number[]): Labels | undefined {
  if (dims[axis] !== groups.length) return undefined;
  const inner = dims.slice(axis + 1).reduce((n, d) => n * d, 1);
  const size = dims.reduce((n, d) => n * d, 1);
  const of = Uint16Array.from({ length: size }, (_, i) => groups[Math.floor(i / inner) % groups.length]!);
  const count = groups.reduce((most, group) => Math.max(most, group), 0) + 1;
  return { parts: Array.from({ length: count }, (_, i) => `range ${i + 1}`), of };
}

function layoutOf({ parts, of }: Labels, dims: readonly number[]): Layout {
  const counts = new Int32Array(parts.length);
  for (const label of of) counts[label]!++;
  const places = Array.from(counts, (count) => new Int32Array(count));
  const filled = new Int32Array(parts.length);
  for (let i = 0; i < of.length; i++) places[of[i]!]![filled[of[i]!]!++] = i;
  const alive = parts.map((_, index) => index).filter((index) => counts[index]! > 0);
  return {
    parts: alive.map((index) => ({ name: parts[index]!, where: whereOf(places[index]!, dims) })),
    places: alive.map((index) => places[index]!),
  };
}

/** As NumPy writes it: `[:, 0:4]`, where the values are a block of whole axes and ranges; else how many they are. */
export function whereOf(places: Int32Array, dims: readonly number[]): string {
  const used = dims.map((dim) => new Uint8Array(dim));
  for (const place of places) {
    let rest = place;
    for (let axis = dims.length - 1; axis >= 0; axis--) {
      used[axis]![rest % dims[axis]!] = 1;
      rest = Math.floor(rest / dims[axis]!);
    }
  }
  const sizes = used.map((axis) => axis.reduce((sum, flag) => sum + flag, 0));
  const size = dims.reduce((n, d) => n * d, 1);
  if (sizes.reduce((n, d) => n * d, 1) !== places.length) return `${places.length} of ${size} values`;
  const ranges = used.map((axis, i) => (sizes[i] === dims[i] ? ':' : runsOf(axis)));
  const last = ranges.findLastIndex((range) => range !== ':');
  return `[${ranges.slice(0, last + 1).join(', ')}]`;
}

/** `0:4`, or `0:2+3:5`. */
function runsOf(used: Uint8Array): string {
  const runs: string[] = [];
  for (let start = 0; start < used.length; start++) {
    if (used[start] === 0) continue;
    let end = start;
    while (used[end] === 1) end++;
    runs.push(`${start}:${end}`);
    start = end;
  }
  return runs.join('+');
}
