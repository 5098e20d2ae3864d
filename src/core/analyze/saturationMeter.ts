/** Saturation of every layer with u8×s8 products, on a few samples and a few output positions of each. */

import type { Conversion } from '../convert/types';
import { quantizeArray } from '../calibrate/quantize';
import type { Graph } from '../onnx/graph';
import type { NodeProto } from '../onnx/generated/onnx_pb';
import { isStatic, type PlannedLayer } from '../plan/types';
import { toFloat32, type Tensor } from '../tensor';
import { geometryOf, isTransposed } from './geometry';
import { arrangeWeights, emulateSaturation, isDepthwise, samplePositions, type KernelWeights } from './saturation';

/** Positions of the output of one sample that are emulated, for all channels. */
const POSITIONS = 32;

const UNIT = Float32Array.of(1);

export class SaturationMeter {
  readonly #conversion: Conversion;
  readonly #int8: Graph;
  readonly #nodes: ReadonlyMap<string, NodeProto>;
  readonly #counts = new Map<string, { pairs: number; clipped: number }>();
  readonly #weights = new Map<string, KernelWeights>();

  /** @param int8 the int8 model's graph, for the weights */
  constructor(conversion: Conversion, int8: Graph) {
    this.#conversion = conversion;
    this.#int8 = int8;
    this.#nodes = new Map(int8.nodes.map((node) => [node.name, node]));
  }

  /** The tensor a layer multiplies with its weight, where that product may saturate. */
  inputOf(layer: PlannedLayer): string | undefined {
    const input = layer.node.input[0] ?? '';
    const type = this.#conversion.activations.get(input)?.type;
    const weight = this.#conversion.weights.get(layer.name)?.type;
    return isStatic(layer) && weight === 'int8' && type === 'uint8' ? input : undefined;
  }

  /** @param x the fp32 value of {@link inputOf} */
  add(layer: PlannedLayer, x: Tensor, seed: number): void {
    const { scale, zeroPoint } = this.#conversion.activations.get(layer.node.input[0] ?? '') ?? {};
    const weight = this.#weightOf(layer);
    if (scale === undefined || zeroPoint === undefined || weight === undefined) return;
    const geometry = geometryOf(layer.node, x.dims, weight.dims);
    if (geometry === undefined) return;
    const counts = this.#counts.get(layer.name) ?? { pairs: 0, clipped: 0 };
    this.#counts.set(layer.name, counts);
    if (isDepthwise(geometry)) return;
    let arranged = this.#weights.get(layer.name);
    if (arranged === undefined) {
      arranged = arrangeWeights(geometry, isTransposed(layer.node) ? transpose(weight) : (weight.data as Int8Array));
      this.#weights.set(layer.name, arranged);
    }
    const integers = quantizeArray(
      toFloat32(x),
      x.dims,
      null,
      Float32Array.of(scale),
      Int32Array.of(zeroPoint),
      'uint8',
    );
    const positions = samplePositions(geometry, POSITIONS, seed);
    const found = emulateSaturation(geometry, arranged, integers, zeroPoint, UNIT, positions);
    counts.pairs += found.pairs;
    counts.clipped += found.clipped;
  }

  /** Share of the pair sums that were clipped; `null` where the layer was not measured. */
  rateOf(layer: string): number | null {
    const counts = this.#counts.get(layer);
    return counts === undefined ? null : counts.clipped / Math.max(1, counts.pairs);
  }

  #weightOf(layer: PlannedLayer): Tensor | undefined {
    const inputs = this.#nodes.get(layer.name)?.input;
    return inputs?.map((name) => this.#integerConstant(name)).find((tensor) => tensor !== undefined);
  }

  /** An int8 constant of a layer, itself (QOperator) or behind its DequantizeLinear (QDQ); its rank tells it from a zero point. */
  #integerConstant(name: string): Tensor | undefined {
    const dequantizer: NodeProto | undefined = this.#int8.producer(name);
    const source = dequantizer?.opType === 'DequantizeLinear' ? (dequantizer.input[0] ?? '') : name;
    const constant = this.#int8.constant(source);
    return constant?.type === 'int8' && constant.dims.length >= 2 ? constant : undefined;
  }
}

function transpose({ data, dims }: Tensor): Int8Array {
  const [rows = 0, columns = 0] = dims;
  const result = new Int8Array(data.length);
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < columns; c++) result[c * rows + r] = Number(data[r * columns + c]);
  }
  return result;
}
