import type { BackendId } from './recipe';

/** What the backends are called, for people. */
export const BACKEND_TITLES: Readonly<Record<BackendId, string>> = {
  'ort-cpu': 'onnxruntime, CPU',
  fbgemm: 'PyTorch fbgemm (x86)',
  x86: 'PyTorch x86',
  onednn: 'PyTorch oneDNN',
  qnnpack: 'PyTorch QNNPACK (ARM)',
  tensorrt: 'NVIDIA TensorRT',
  qnn: 'Qualcomm QNN (HTP)',
  xnnpack: 'XNNPACK',
  openvino: 'OpenVINO',
};
