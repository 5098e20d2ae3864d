/** What a tune tries and finds, in words: the same in the terminal, in the editor and for agents. Pure. */

import type { RecipeChange } from './fixes';
import { bytes, decibels, percent, plural, times } from './format';
import type { TuneGoal, TunePoint, Tuning } from './tuning';

/** `ranges by mse`, `fire9/expand3x3 in float` */
export function changeText(change: RecipeChange): string {
  switch (change.kind) {
    case 'observer':
      return `ranges by ${change.observer}${change.percentile === undefined ? '' : ` ${change.percentile}`}`;
    case 'weights':
      return `weights ${change.granularity}`;
    case 'bias-correction':
      return 'biases corrected';
    case 'equalize':
      return 'channels equalized';
    case 'smooth':
      return `outliers smoothed by ${change.strength}`;
    case 'split':
      return `${change.concat} split by its inputs`;
    case 'twin':
      return `${change.module} by an equal module`;
    case 'leaves':
      return `${plural(change.modules.length, 'module')} kept whole`;
    case 'mode':
      return `mode ${change.mode}`;
    case 'activations':
      return `${change.type} activations`;
    case 'backend':
      return `backend ${change.backend}`;
    case 'opset':
      return `opset ${change.opset}`;
    case 'preprocess':
      return 'images prepared otherwise';
    case 'remove-override':
      return `no rule for ${change.select}`;
    case 'override': {
      const { select, quantize, activations } = change.override;
      if (quantize === false) return `${select} in float`;
      if (activations === undefined) return `a rule for ${select}`;
      const type = typeof activations === 'string' ? activations : (activations.type ?? 'other');
      return `${type} activations for ${select}`;
    }
  }
}

/** In a few words: `ranges by mse, 3 layers changed`. */
export function changesText({ changes }: Pick<TunePoint, 'changes'>): string {
  if (changes.length === 0) return 'as it is';
  const overrides = changes.filter(({ change }) => change.kind === 'override').length;
  const others = changes.filter(({ change }) => change.kind !== 'override').map(({ change }) => changeText(change));
  return [...others, ...(overrides === 0 ? [] : [`${plural(overrides, 'layer')} changed`])].join(', ');
}

/** `at most 1.00 points lost, at least 25.0 dB` */
export function goalText({ maxDrop, minSqnr, maxLatencyRatio }: TuneGoal): string {
  return [
    ...(maxDrop === undefined ? [] : [`at most ${plural(maxDrop, 'point')} lost`]),
    ...(minSqnr === undefined ? [] : [`at least ${minSqnr} dB`]),
    ...(maxLatencyRatio === undefined ? [] : [`at most ${times(maxLatencyRatio)} the time of fp32`]),
  ].join(', ');
}

/** The figures of a recipe that was tried, those that were not measured left out. */
export function figuresText(point: TunePoint): string {
  return [
    decibels(point.sqnr),
    ...(point.top1 === null ? [] : [`top-1 ${percent(point.top1)}`]),
    ...(point.top1 === null && point.agreement !== null ? [`same class ${percent(point.agreement)}`] : []),
    `${percent(point.macs)} in int8`,
    ...(point.latencyRatio === null ? [] : [`${times(point.latencyRatio)} the time of fp32`]),
    bytes(point.bytes),
  ].join(', ');
}

/** Where the best stands among the points; they are told apart by what they change. */
export function chosenIndex({ points, best }: Pick<Tuning, 'points' | 'best'>): number {
  const key = (point: TunePoint): string => JSON.stringify(point.changes.map(({ change }) => change));
  const wanted = key(best);
  return Math.max(
    0,
    points.findIndex((point) => key(point) === wanted),
  );
}
