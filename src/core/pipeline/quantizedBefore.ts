import { graphOf, type OnnxModel } from '../onnx/model';

/** Operators that only a quantized model has. */
const QUANTIZED =
  /^(?:Dynamic)?QuantizeLinear$|^DequantizeLinear$|^QLinear|^QGemm$|^(?:Conv|MatMul)Integer$|^MatMulNBits$/;

/** Warns of a model that was quantized before: its errors are compared with a model that has lost accuracy already. */
export function quantizedBefore(original: OnnxModel): string[] {
  const found = graphOf(original).node.filter(({ opType }) => QUANTIZED.test(opType));
  const [first] = found;
  if (first === undefined) return [];
  const number = found.length === 1 ? 'one operator' : `${found.length} operators`;
  return [
    `The model is quantized already: it has ${number} such as ${first.opType}. What was lost then stays lost, and errors are measured against it; start from the fp32 model.`,
  ];
}
