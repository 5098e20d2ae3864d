/** Which backends run on this CPU, and in which order they are offered. Pure. */

import type { BackendId } from '../../shared/recipe';

type Family = 'x64' | 'arm64';

/** Backends by the CPU that has their kernels. */
const BY_CPU: Readonly<Record<Family, readonly BackendId[]>> = {
  x64: ['ort-cpu', 'openvino', 'xnnpack'],
  arm64: ['ort-cpu', 'xnnpack'],
};

/** Those of PyTorch quantize its own models; for an ONNX model they come last. */
const OTHERS: readonly BackendId[] = ['tensorrt', 'qnn', 'openvino', 'xnnpack', 'x86', 'fbgemm', 'onednn', 'qnnpack'];

export interface BackendOrder {
  readonly here: readonly BackendId[];
  readonly elsewhere: readonly BackendId[];
}

/** @param arch as `process.arch` names it */
export function backendsFor(arch: string): BackendOrder {
  const here = BY_CPU[arch.startsWith('arm') ? 'arm64' : 'x64'];
  return { here, elsewhere: OTHERS.filter((backend) => !here.includes(backend)) };
}
