/** Known faults of PyTorch's int8 kernels, recognised by what they do to the user's own data. Pure. */

import type { LayerReport } from '../shared/report';
import type { Settings } from './settings';
import { measuredText, sqnrOf } from '../shared/measured';

/** A sound int8 layer has 20 dB and more; what a faulty kernel computes has hardly to do with its input. */
const BROKEN_DB = 20;
/** Sums that overflow here and there leave more; with all eight bits a sound layer has more still. */
const OVERFLOWING_DB = 25;

interface Fault {
  readonly id: string;
  /** Below how many dB the fault shows. */
  readonly below: number;
  readonly matches: (layer: LayerReport, settings: Settings, saturates: boolean) => boolean;
  readonly what: string;
  readonly fix: (layers: readonly LayerReport[]) => string;
}

const CLAMPS: ReadonlySet<string> = new Set(['ReLU6', 'Hardtanh', 'relu6', 'hardtanh', 'clamp', 'clip']);

const keepFloat = (layers: readonly LayerReport[]): string => {
  const ops = [...new Set(layers.map(({ op }) => `op:${op}`))];
  return `Keep them in float: \`layers: [${ops.map((op) => `{ select: ${op}, quantize: false }`).join(', ')}]\`.`;
};

const FAULTS: readonly Fault[] = [
  {
    id: 'prelu',
    below: BROKEN_DB,
    matches: ({ op, status }) => status === 'quantized' && op === 'PReLU',
    what: 'the slopes of a quantized PReLU are never observed and come out as 0 or wrong (torch 1.13 to 2.15)',
    fix: (layers) =>
      layers.every(({ twin }) => twin !== undefined)
        ? `Let an equal module take their place: \`torch: { twins: [${layers.map(({ name }) => name).join(', ')}] }\`.`
        : keepFloat(layers),
  },
  {
    id: 'qnnpack-clamp',
    below: BROKEN_DB,
    matches: ({ op, status }, { engine }) => status === 'quantized' && engine === 'qnnpack' && CLAMPS.has(op),
    what: 'the clamp kernel of qnnpack reads tensors in the layout channels_last wrongly',
    fix: keepFloat,
  },
  {
    id: 'onednn-range',
    below: OVERFLOWING_DB,
    matches: ({ op, status }, { backend, global }, saturates) =>
      status === 'quantized' &&
      saturates &&
      (backend === 'onednn' || backend === 'qnnpack') &&
      global.reduceRange !== true &&
      /^(?:Conv|Linear|conv|linear)/.test(op),
    what: 'with eight-bit activations, pairs of products overflow 16 bits on this CPU, which has no VNNI',
    fix: () => 'Use `backend: fbgemm`, or `weights: { reduceRange: true }`.',
  },
];

/**
 * One sentence for each fault that shows: kernels that are wrong in principle but right on this data are not named.
 * @param saturates whether the products of the engine overflow 16 bits on this CPU, as measured
 */
export function faultWarnings(layers: readonly LayerReport[], settings: Settings, saturates: boolean): string[] {
  return FAULTS.flatMap(({ below, matches, what, fix }) => {
    const found = layers.filter(
      (layer) => (sqnrOf(layer.local) ?? Infinity) < below && matches(layer, settings, saturates),
    );
    if (found.length === 0) return [];
    const names = found.slice(0, 3).map(({ name, local }) => `${name} (${measuredText(local)})`);
    const more = found.length > 3 ? ` and ${found.length - 3} more` : '';
    return [`${names.join(', ')}${more}: ${what}. ${fix(found)}`];
  });
}
