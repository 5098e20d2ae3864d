/** What the folder of results of `NAME.onnx`, or of the PyTorch model `NAME`, is called: `NAME` with this behind. */

import type { Report } from './report';

export type Framework = Report['framework'];

/** Two, because a network in `net.py` and what it was exported to, `net.onnx`, often share a folder. */
export const RESULTS_SUFFIX = { onnx: '.quant', torch: '.torch.quant' } as const satisfies Record<Framework, string>;
