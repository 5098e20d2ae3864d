/**
 * Dynamic quantization: int8 weights, activations quantized at run time by their own minimum and
 * maximum. Written in plain ONNX operators, which onnxruntime fuses into one DynamicQuantizeMatMul a
 * layer, or into MatMulIntegerToFloat where several layers read one activation.
 *
 * Convolutions stay in float: onnxruntime's ConvInteger is exact but has no fast kernel (measured on
 * one x86-64 core, 1.4 to 10 times the time of the float Conv).
 */

import { floatAttribute, intAttribute } from '../onnx/attributes';
import { TensorProto_DataType } from '../onnx/generated/onnx_pb';
import type { NodeProto } from '../onnx/generated/onnx_pb';
import { outputOf, type Graph } from '../onnx/graph';
import type { NodeSpec } from '../onnx/model';
import type { PlannedLayer, WeightPlan } from '../plan/types';
import { allocate, makeTensor, toFloat32, type Tensor } from '../tensor';
import type { Construction } from './construction';
import type { ModelEditor } from './edits';
import { convertLstm } from './lstm';
import { columnOrder, quantizeWeight, weightParams } from './weights';

/** What DynamicQuantizeLinear makes of one activation. */
interface RuntimeQuantized {
  readonly integer: string;
  readonly scale: string;
  readonly zeroPoint: string;
}

/**
 * Obeys the dynamic layers of a plan: each MatMul and Gemm becomes a MatMulInteger under the same name, each LSTM a
 * DynamicQuantizeLSTM.
 */
export function convertDynamic(construction: Construction): void {
  const converter = new DynamicConverter(construction);
  for (const layer of construction.layersOf('dynamic')) {
    const { weight, recurrence } = layer;
    if (weight === null) continue;
    if (recurrence === null) converter.convert(layer, weight);
    else convertLstm(construction, layer, weight, recurrence);
  }
}

class DynamicConverter {
  readonly #construction: Construction;
  readonly #graph: Graph;
  readonly #editor: ModelEditor;
  readonly #quantized = new Map<string, RuntimeQuantized>();

  constructor(construction: Construction) {
    this.#construction = construction;
    this.#graph = construction.graph;
    this.#editor = construction.editor;
  }

  /** y = ((quantized(x) − zero point) · W) · (s_x · s_w) [+ bias]. */
  convert(layer: PlannedLayer, weightPlan: WeightPlan): void {
    const { node: original, name } = layer;
    const stored = this.#construction.constantOf(weightPlan.tensor);
    const isGemm = original.opType === 'Gemm';
    const transposed = isGemm && intAttribute(original, 'transB', 0) === 1;
    const weight = transposed ? transpose(stored) : stored;
    const axis = weightPlan.axis === null ? null : weight.dims.length - 1;
    const plan = { ...weightPlan, axis };
    const params = weightParams(weight, plan, { convention: this.#construction.convention, order: columnOrder });
    const integers = quantizeWeight(weight, plan, params);

    const editor = this.#editor;
    const x = this.#quantizeAtRunTime(original.input[0] ?? '');
    const node = this.#construction.nodeOf(original);
    const output = outputOf(node);
    const dims = axis === null ? [] : [params.scales.length];
    const alpha = isGemm ? floatAttribute(original, 'alpha', 1) : 1;
    const weightScale = editor.addInitializer(
      `${weightPlan.tensor}_scale`,
      makeTensor(
        'float32',
        dims,
        params.scales.map((scale) => scale * alpha),
      ),
    );
    const zeros = allocate(weightPlan.type, params.zeroPoints.length);
    params.zeroPoints.forEach((zero, i) => (zeros[i] = zero));
    const inputs = [x.integer, editor.addInitializer(`${weightPlan.tensor}_quantized`, integers), x.zeroPoint];
    if (params.zeroPoints.some((zero) => zero !== 0)) {
      const tensor = { type: weightPlan.type, dims, data: zeros };
      inputs.push(editor.addInitializer(`${weightPlan.tensor}_zero_point`, tensor));
    }
    const bias = isGemm ? this.#biasOf(original, weight.dims.at(-1) ?? 1) : undefined;

    const accumulator = editor.freshName(`${output}_accumulator`);
    const float = editor.freshName(`${output}_float`);
    const scale = editor.freshName(`${output}_scale`);
    const scaled = bias === undefined ? output : editor.freshName(`${output}_scaled`);
    node.opType = 'MatMulInteger';
    node.attribute = [];
    node.input = inputs;
    node.output[0] = accumulator;
    const named = (op: string, ins: readonly string[], out: string, attributes: NodeSpec['attributes'] = {}): void => {
      editor.continue(node, {
        op,
        name: editor.freshName(`${name}_${op}`),
        inputs: ins,
        outputs: [out],
        attributes,
      });
    };
    named('Cast', [accumulator], float, { to: TensorProto_DataType.FLOAT });
    // The runtime's fusion looks for this order: the two scales first, then the product.
    named('Mul', [x.scale, weightScale], scale);
    named('Mul', [float, scale], scaled);
    if (bias !== undefined) named('Add', [scaled, bias], output);
    this.#construction.weights.set(name, {
      layer: name,
      tensor: weightPlan.tensor,
      type: weightPlan.type,
      ...params,
      axis: weightPlan.axis,
    });
  }

  /** One DynamicQuantizeLinear a tensor, however many layers read it. */
  #quantizeAtRunTime(tensor: string): RuntimeQuantized {
    const known = this.#quantized.get(tensor);
    if (known !== undefined) return known;
    const editor = this.#editor;
    const made = {
      integer: editor.freshName(`${tensor}_quantized`),
      scale: editor.freshName(`${tensor}_scale`),
      zeroPoint: editor.freshName(`${tensor}_zero_point`),
    };
    this.#quantized.set(tensor, made);
    const spec: NodeSpec = {
      op: 'DynamicQuantizeLinear',
      name: editor.freshName(`${tensor}_DynamicQuantizeLinear`),
      inputs: [tensor],
      outputs: [made.integer, made.scale, made.zeroPoint],
    };
    const producer = this.#graph.producer(tensor);
    if (producer === undefined) editor.insertFirst(spec);
    else editor.insertAfter(this.#construction.nodeOf(producer), spec);
    return made;
  }

  /** The C of a Gemm; a constant one as a vector, since only that fuses. */
  #biasOf(node: NodeProto, columns: number): string | undefined {
    const name = node.input[2] ?? '';
    if (name === '') return undefined;
    const constant = this.#graph.constant(name);
    if (constant === undefined || (constant.dims.length === 1 && constant.data.length === columns)) return name;
    const values = toFloat32(constant);
    const row = values.length === 1 ? new Float32Array(columns).fill(values[0]!) : values;
    return this.#editor.addInitializer(`${name}_row`, makeTensor('float32', [columns], row));
  }
}

function transpose(tensor: Tensor): Tensor {
  const [rows = 0, columns = 0] = tensor.dims;
  const values = toFloat32(tensor);
  const result = new Float32Array(values.length);
  for (let r = 0; r < rows; r++) for (let c = 0; c < columns; c++) result[c * rows + r] = values[r * columns + c]!;
  return makeTensor('float32', [columns, rows], result);
}
