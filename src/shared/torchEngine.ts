/** Qconfig and engine of PyTorch are two choices, and not all of them fit. Pure. */

import type { TorchBackend } from './recipeValues';

/** Why the qconfig of one backend and the kernels of another may not fit; `undefined` where they do. */
export function engineMismatch(backend: TorchBackend, engine: TorchBackend): string | undefined {
  const isX86 = (one: TorchBackend): boolean => one === 'fbgemm' || one === 'x86';
  if (backend === engine || (isX86(backend) && isX86(engine))) return undefined;
  const effect =
    !isX86(backend) && isX86(engine)
      ? 'its activations have eight bits, and these kernels add pairs of products in 16 bits, which overflow on a CPU without VNNI'
      : 'the ranges were chosen for other kernels';
  return `The settings are those of ${backend}, but the model runs on the engine ${engine}: ${effect}.`;
}
