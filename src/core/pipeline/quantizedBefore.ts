import { QuantscopeError } from '../../shared/errors';
import { plural } from '../../shared/format';
import { graphOf, type OnnxModel } from '../onnx/model';
import type { Prepared } from './prepare';

/** Operators that only a quantized model has. */
const QUANTIZED =
  /^(?:Dynamic)?QuantizeLinear$|^DequantizeLinear$|^QLinear|^QGemm$|^(?:Conv|MatMul)Integer$|^MatMulNBits$/;

/** What was found of an earlier quantization; `undefined` in a float model. */
function quantizedAlready(original: OnnxModel): string | undefined {
  const found = graphOf(original).node.filter(({ opType }) => QUANTIZED.test(opType));
  const [first] = found;
  if (first === undefined) return undefined;
  return `The model is quantized already: it has ${plural(found.length, 'operator')} such as ${first.opType}`;
}

/** Warns of a model that was quantized before: its errors are compared with a model that has lost accuracy already. */
export function quantizedBefore(original: OnnxModel): string[] {
  const told = quantizedAlready(original);
  if (told === undefined) return [];
  return [`${told}. What was lost then stays lost, and errors are measured against it; start from the fp32 model.`];
}

/** @throws `plan-impossible` for a model that was quantized before and has no float layer left to quantize */
export function refuseQuantized({ original, plan }: Pick<Prepared, 'original' | 'plan'>): void {
  const told = plan.layers.some(({ quantize }) => quantize) ? undefined : quantizedAlready(original);
  if (told === undefined) return;
  throw new QuantscopeError('plan-impossible', `${told}, and no layer is left to quantize.`, {
    hint: 'Start from the fp32 model. `quantscope benchmark` and `evaluate` take the quantized one as it is.',
  });
}
