/** Top-k accuracy and agreement of classifiers, one sample at a time. */

import type { AccuracyReport } from '../../shared/report';
import { isFloatType, toFloat32, type Tensor } from '../tensor';

/** Number of classes of an output, the first dimension being the batch; `undefined` where it holds no class scores. */
export function classCount(shape: readonly (number | string)[]): number | undefined {
  const axes = shape.length === 1 ? shape : shape.slice(1);
  const wide = axes.filter((dim) => dim !== 1);
  const [classes] = wide;
  return wide.length === 1 && typeof classes === 'number' && classes > 1 ? classes : undefined;
}

/**
 * The class scores of a sample; of the first row where the model's batch is larger, which repeats the
 * sample. `undefined` where the output holds no class scores (see {@link classCount}) or no floats.
 */
export function classScores(output: Tensor): Float32Array | undefined {
  const classes = classCount(output.dims);
  if (classes === undefined || !isFloatType(output.type)) return undefined;
  const scores = toFloat32(output).subarray(0, classes);
  // Of an empty batch there are none.
  return scores.length < classes ? undefined : scores;
}

/** Class of the highest score, the first of equals; −1 where no score is a number. */
export function argmax(scores: ArrayLike<number>): number {
  let best = -1;
  for (let i = 0; i < scores.length; i++) {
    if (!Number.isNaN(scores[i]) && (best < 0 || scores[i]! > scores[best]!)) best = i;
  }
  return best;
}

/** Number of classes before `label` when sorted by falling score, equals by index; a NaN comes last. */
export function rankOf(scores: ArrayLike<number>, label: number): number {
  const score = scores[label];
  if (score === undefined || Number.isNaN(score)) return scores.length;
  let rank = 0;
  for (let i = 0; i < scores.length; i++) {
    if (scores[i]! > score || (scores[i] === score && i < label)) rank++;
  }
  return rank;
}

/** Where every class is among the top five, the figure says nothing. */
const TOP5_CLASSES = 6;

/** Counts of one model. Percentages are 0 before the first sample. */
export class TopK {
  #samples = 0;
  #first = 0;
  #five = 0;
  #classes = 0;

  add(scores: ArrayLike<number>, label: number): void {
    const rank = rankOf(scores, label);
    this.#samples++;
    this.#classes = Math.max(this.#classes, scores.length);
    if (rank === 0) this.#first++;
    if (rank < 5) this.#five++;
  }

  get samples(): number {
    return this.#samples;
  }

  /** Percent. */
  get top1(): number {
    return percent(this.#first, this.#samples);
  }

  /** Percent; `null` for five classes or fewer. */
  get top5(): number | null {
    return this.#classes < TOP5_CLASSES ? null : percent(this.#five, this.#samples);
  }
}

/** fp32 against int8 on the same samples. */
export class Classification {
  readonly #fp32 = new TopK();
  readonly #int8 = new TopK();
  #samples = 0;
  /** Samples with a finite score in fp32: of others it tells no class. */
  #telling = 0;
  #compared = 0;
  #agreed = 0;
  readonly #changed: string[] = [];

  /**
   * @param int8 left out where the int8 model was not run; accuracy then has no pair, agreement leaves the sample out
   * @param label class index; samples without only count for agreement
   */
  add(sample: string, fp32: ArrayLike<number>, int8: ArrayLike<number> | undefined, label: number | undefined): void {
    this.#samples++;
    if (label !== undefined) this.#fp32.add(fp32, label);
    const tells = Array.from(fp32).some(Number.isFinite);
    if (tells) this.#telling++;
    if (int8 === undefined) return;
    if (label !== undefined) this.#int8.add(int8, label);
    if (!tells) return;
    const top = argmax(int8);
    this.#compared++;
    if (top >= 0 && top === argmax(fp32)) this.#agreed++;
    else this.#changed.push(sample);
  }

  /** Ids of the samples whose class the int8 model changes, in order. */
  get changed(): readonly string[] {
    return this.#changed;
  }

  /** Accuracy is `null` unless both models ran on the same labelled samples; all is where fp32 tells no class at all. */
  result(): Omit<AccuracyReport, 'output' | 'because'> {
    const paired = this.#telling > 0 && this.#fp32.samples > 0 && this.#fp32.samples === this.#int8.samples;
    const [five32, five8] = [this.#fp32.top5, this.#int8.top5];
    const labelled = this.#fp32.samples;
    return {
      samples: this.#samples,
      ...(paired && labelled < this.#samples ? { labelled } : {}),
      top1: paired ? { fp32: this.#fp32.top1, int8: this.#int8.top1 } : null,
      top5: paired && five32 !== null && five8 !== null ? { fp32: five32, int8: five8 } : null,
      agreement: this.#compared === 0 ? null : percent(this.#agreed, this.#compared),
    };
  }
}

function percent(part: number, whole: number): number {
  return whole === 0 ? 0 : (100 * part) / whole;
}
