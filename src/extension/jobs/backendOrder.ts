/** Which backends run on this CPU, and in which order they are offered. Pure. */

import { TORCH_BACKENDS } from '../../shared/recipeValues';
import type { BackendId, TorchBackend } from '../../shared/recipe';

type Family = 'x64' | 'arm64';

/** @param arch as `process.arch` names it */
function familyOf(arch: string): Family {
  return arch.startsWith('arm') ? 'arm64' : 'x64';
}

/** Backends by the CPU that has their kernels. */
const BY_CPU: Readonly<Record<Family, readonly BackendId[]>> = {
  x64: ['ort-cpu', 'openvino', 'xnnpack'],
  arm64: ['ort-cpu', 'xnnpack'],
};

/** Those of PyTorch quantize its own models; for an ONNX model they come last. */
const OTHERS: readonly BackendId[] = ['tensorrt', 'qnn', 'openvino', 'xnnpack', 'x86', 'fbgemm', 'onednn', 'qnnpack'];

const TORCH_BY_CPU: Readonly<Record<Family, readonly TorchBackend[]>> = {
  x64: ['fbgemm', 'x86', 'onednn', 'qnnpack'],
  arm64: ['qnnpack', 'fbgemm', 'x86', 'onednn'],
};

export interface TorchBackendOrder {
  readonly here: readonly TorchBackend[];
  /** Without kernels in this build of torch. */
  readonly missing: readonly TorchBackend[];
}

/** @param engines of the build of torch; all where that is not known */
export function torchBackendsFor(arch: string, engines: readonly string[] = TORCH_BACKENDS): TorchBackendOrder {
  const all = TORCH_BY_CPU[familyOf(arch)];
  return {
    here: all.filter((backend) => engines.includes(backend)),
    missing: all.filter((backend) => !engines.includes(backend)),
  };
}

export interface BackendOrder {
  readonly here: readonly BackendId[];
  readonly elsewhere: readonly BackendId[];
}

/** @param arch as `process.arch` names it */
export function backendsFor(arch: string): BackendOrder {
  const here = BY_CPU[familyOf(arch)];
  return { here, elsewhere: OTHERS.filter((backend) => !here.includes(backend)) };
}
