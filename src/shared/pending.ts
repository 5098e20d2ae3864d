/** What a run still measures once the int8 model and the table of layers are written. */

import { STAGES, type Stage } from './progress';

const FIGURES = { analyze: 'errors', evaluate: 'accuracy', benchmark: 'latency' } as const satisfies Partial<
  Record<Stage, string>
>;

/** A stage without which a report is whole but for its figures. */
export type MeasuringStage = keyof typeof FIGURES;

export const MEASURING: readonly MeasuringStage[] = STAGES.filter((stage) =>
  Object.hasOwn(FIGURES, stage),
) as MeasuringStage[];

/** `errors, accuracy and latency` */
export function figuresOf(stages: readonly MeasuringStage[]): string {
  const words = stages.map((stage) => FIGURES[stage]);
  return words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} and ${words.at(-1)!}`;
}

/** Those that come after another stage. */
export function measuredAfter(stage: Stage): MeasuringStage[] {
  return MEASURING.filter((other) => STAGES.indexOf(other) > STAGES.indexOf(stage));
}

/** The warning of a report that was written before its last figure was there. */
export function pendingWarning(stages: readonly MeasuringStage[]): string {
  const figures = figuresOf(stages);
  return `Not measured: ${figures}. The run still measures, or was ended before; the int8 model and the kernels are final.`;
}
