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
  const times: number[] = [];
  try {
    for await (const { feeds } of samples.samples(signal)) {
      throwIfCancelled(signal);
      const started = performance.now();
      outputs.push(await session.run(feeds));
      times.push(performance.now() - started);
    }
    // The first run of a session allocates, which is no part of a pass. It is not run twice: a random model would then
    // be one draw ahead of what it is compared with.
    const [first = 0, ...others] = times;
    const mean = others.length === 0 ? first : others.reduce((a, b) => a + b, 0) / others.length;
    return { outputs, milliseconds: mean * times.length };
  } finally {
    await session.close();
  }
}
