import { QuantscopeError } from '../../shared/errors';
import type { Framework } from '../../shared/resultsSuffix';

/**
 * Changes of a recipe are tried inside one process with onnxruntime, which runs no PyTorch model.
 * @param what the job, as the subject of a sentence in the plural
 * @throws `plan-impossible` for a PyTorch model
 */
export function onnxOnly(framework: Framework | undefined, what: string): void {
  if (framework !== 'torch') return;
  throw new QuantscopeError('plan-impossible', `${what} are for ONNX models, and this is a PyTorch model.`, {
    hint: 'Its report has the error of every layer: change the recipe by that, such as `layers: [{ select: NAME, quantize: false }]`, and run it again.',
  });
}
