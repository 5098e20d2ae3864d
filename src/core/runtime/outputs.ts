import { throwIfCancelled } from '../../shared/errors';
import type { Dataset } from '../data/types';
import type { OnnxModel } from '../onnx/model';
import type { Tensor } from '../tensor';
import { openSession } from './session';

/** A model's outputs of every sample. */
export async function outputsOf(
  model: OnnxModel,
  samples: Pick<Dataset, 'samples'>,
  { threads, signal }: { readonly threads?: number; readonly signal?: AbortSignal } = {},
): Promise<Record<string, Tensor>[]> {
  const session = await openSession(model, threads === undefined ? {} : { threads });
  const outputs: Record<string, Tensor>[] = [];
  try {
    for await (const { feeds } of samples.samples(signal)) {
      throwIfCancelled(signal);
      outputs.push(await session.run(feeds));
    }
    return outputs;
  } finally {
    await session.close();
  }
}
