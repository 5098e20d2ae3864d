/** A PyTorch model moved to ONNX: what is asked for, what was made, and how well both agree. */

import { decibels, plural } from './format';
import type { Recipe } from './recipe';

export interface OnnxExportInput {
  /** Of the PyTorch model. */
  readonly recipe: Recipe;
  /** Folder against which the paths of the recipe are resolved, and into which both files are written. */
  readonly baseDir: string;
}

export interface OnnxExport {
  /** The fp32 model, an absolute path. */
  readonly model: string;
  /** The recipe that quantizes it, an absolute path. */
  readonly recipe: string;
  /** Of the first output in onnxruntime against that in torch, in dB; `null` where they are equal to the bit. */
  readonly sqnr: number | null;
  /** How many samples this was measured on; 0 where the model gives nothing that could be compared. */
  readonly samples: number;
  readonly warnings: readonly string[];
}

/** How well the exported model agrees, for people. */
export function agreementText({ sqnr, samples }: Pick<OnnxExport, 'sqnr' | 'samples'>): string {
  if (samples === 0) return 'not measured';
  return `${sqnr === null ? 'the same bits' : decibels(sqnr)} on ${plural(samples, 'sample')}`;
}
