/** Whose a model is, and what the folder of results of `NAME.onnx`, or of the PyTorch model `NAME`, is called: `NAME` with this behind. */

import type { Report } from './report';

export type Framework = Report['framework'];

/** Two, because a network in `net.py` and what it was exported to, `net.onnx`, often share a folder. */
export const RESULTS_SUFFIX = { onnx: '.quant', torch: '.torch.quant' } as const satisfies Record<Framework, string>;

const TORCH = /\.(?:py|pt|pt2|pth|pkl)$|:[A-Za-z_]\w*$/;

/** Of a model as the terminal names it: a factory, `file.py:function`, a pickle and TorchScript are PyTorch's. */
export function frameworkOf(model: string): Framework {
  return TORCH.test(model) ? 'torch' : 'onnx';
}
