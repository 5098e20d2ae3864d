import { throwIfCancelled } from '../../shared/errors';
import type { Dataset } from '../data/types';
import type { OnnxModel } from '../onnx/model';
import type { Tensor } from '../tensor';
import { openDeployed } from './deployed';

/** A model's outputs of every sample, and the milliseconds that the runtime took for them. */
export async function outputsOf(
  model: OnnxModel,
  samples: Pick<Dataset, 'samples'>,
  { threads, signal }: { readonly threads?: number; readonly signal?: AbortSignal } = {},
): Promise<{ readonly outputs: readonly Readonly<Record<string, Tensor>>[]; readonly milliseconds: number }> {
  const session = await openDeployed(model, threads === undefined ? {} : { threads });
  const outputs: Record<string, Tensor>[] = [];
  let milliseconds = 0;
  try {
    for await (const { feeds } of samples.samples(signal)) {
      throwIfCancelled(signal);
      // The first run of a session allocates, which is no part of a pass.
      if (outputs.length === 0) await session.run(feeds);
      const started = performance.now();
      outputs.push(await session.run(feeds));
      milliseconds += performance.now() - started;
    }
    return { outputs, milliseconds };
  } finally {
    await session.close();
  }
}
