/** Drawing no more than the pixels can show. Pure. */

/**
 * A line through values, as flat [x, y, …]. Of several points in one pixel column only the first, the lowest, the
 * highest and the last are kept, which draws the same pixels (Jugel et al., M4, VLDB 2014). NaN is passed over.
 */
export function linePoints(
  values: Float64Array,
  first: number,
  last: number,
  x: (layer: number) => number,
  y: (value: number) => number,
): number[] {
  const points: number[] = [];
  let column = NaN;
  let kept: number[] = [];
  const flush = (): void => {
    for (const layer of kept) points.push(x(layer), y(values[layer]!));
  };
  let [start, lowest, highest, end] = [0, 0, 0, 0];
  const close = (): void => {
    kept = Array.from(new Set([start, lowest, highest, end])).sort((a, b) => a - b);
    flush();
  };
  for (let layer = first; layer <= last; layer += 1) {
    const value = values[layer]!;
    if (Number.isNaN(value)) continue;
    const pixel = Math.round(x(layer));
    if (pixel !== column) {
      if (!Number.isNaN(column)) close();
      column = pixel;
      start = lowest = highest = layer;
    }
    if (value < values[lowest]!) lowest = layer;
    if (value > values[highest]!) highest = layer;
    end = layer;
  }
  if (!Number.isNaN(column)) close();
  return points;
}

/** Leaves out points that fall where one stands already; flat [x, y, …]. */
export class PointSet {
  readonly points: number[] = [];
  readonly #taken = new Set<number>();
  readonly #size: number;

  /** Of pixels of a chart up to this height. */
  static readonly #ROWS = 65_536;

  /** @param size of the squares of which each takes one point, in pixels */
  constructor(size = 1) {
    this.#size = size;
  }

  add(x: number, y: number): void {
    const key = Math.round(x / this.#size) * PointSet.#ROWS + Math.round(y / this.#size);
    if (this.#taken.has(key)) return;
    this.#taken.add(key);
    this.points.push(x, y);
  }
}

/** The lowest value of each pixel column of a width, NaN where there is none. */
export function lowestPerColumn(values: Float64Array, columns: number): Float64Array {
  const lowest = new Float64Array(columns).fill(NaN);
  values.forEach((value, layer) => {
    const column = Math.min(columns - 1, Math.floor((layer * columns) / values.length));
    // A comparison with NaN is false.
    if (!Number.isNaN(value) && !(lowest[column]! <= value)) lowest[column] = value;
  });
  return lowest;
}
