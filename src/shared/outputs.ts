/** What a model's outputs come to in one figure: that of the worst part, since one over all hides what is small. Pure. */

import { isIncomparable, sqnrOf, type Measured } from './measured';
import type { Report } from './report';

/** An output, or a part of it. */
export interface OutputFigure {
  readonly output: string;
  /** `null` for an output of one piece. */
  readonly part: { readonly name: string; readonly where: string } | null;
  readonly error: Measured;
}

/** Everything that is measured apart, in the order of the model. Reports of earlier versions have no parts. */
export function outputFigures({ outputs }: Pick<Report, 'outputs'>): OutputFigure[] {
  return outputs.flatMap(({ name: output, error, parts = [] }): OutputFigure[] =>
    parts.length === 0
      ? [{ output, part: null, error }]
      : parts.map(({ error: own, ...part }) => ({ output, part, error: own })),
  );
}

/** The one with the lowest SQNR, the first of equals; where none has any, one that could not be compared. */
export function worstOutput(report: Pick<Report, 'outputs'>): OutputFigure | undefined {
  const rank = ({ error }: OutputFigure): number => Number(isIncomparable(error));
  return outputFigures(report).toSorted((a, b) => compare(sqnrOf(a.error), sqnrOf(b.error)) || rank(a) - rank(b))[0];
}

/** Ascending; `Infinity` for no error is the same as no figure, and no difference of the two. */
function compare(a = Infinity, b = Infinity): number {
  return a === b ? 0 : a - b;
}

/** `output0[:, 4:8]`: as one would write it in NumPy. */
export function outputName({ output, part }: Pick<OutputFigure, 'output' | 'part'>): string {
  if (part === null) return output;
  return part.where.startsWith('[') ? `${output}${part.where}` : `${output} (${part.name}, ${part.where})`;
}
