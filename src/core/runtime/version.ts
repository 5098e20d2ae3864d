import './silence';
import { env } from 'onnxruntime-node';

/** The runtime whose kernels everything is measured with. */
export const RUNTIME = `onnxruntime-node ${env.versions.node ?? ''}`.trim();
