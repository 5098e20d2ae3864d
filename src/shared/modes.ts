/** The modes of ONNX models beside each other: what each quantizes, and which are worth trying for a whole model. Pure. */

import type { Fix, Suggestion } from './fixes';
import { MODES, type Mode } from './recipeValues';
import type { ReasonCode } from './reasons';
import type { LayerReport, Report } from './report';

/**
 * Operators that dynamic and weight-only modes quantize: those with a constant weight. Dynamic leaves
 * Conv out, for which onnxruntime has no fast kernel with activations quantized at run time, and what
 * it has no such kernel for at all.
 */
export const WEIGHT_MODE_OPS: Readonly<Record<Exclude<Mode, 'static'>, readonly string[]>> = {
  dynamic: ['MatMul', 'Gemm', 'LSTM'],
  'weight-only': ['Conv', 'MatMul', 'Gemm', 'LSTM', 'GRU', 'RNN'],
};

const MODE_DETAILS: Readonly<Record<Mode, string>> = {
  static: 'Weights and activations in int8, by ranges measured beforehand.',
  dynamic: 'Weights in int8; what a layer reads is quantized at run time by its own minimum and maximum.',
  'weight-only': 'Weights in int8, a quarter of their size; layers compute in float, as before.',
};

/** A mode that leaves more of the multiply-adds in float cannot be what is better for the whole model. */
const LEAST_SHARE = 0.5;

/** The other modes that a whole model may be better off in, which only trying tells. */
export function modeFixes({ framework, mode, recipe, layers }: Report): Fix[] {
  if (framework !== 'onnx') return [];
  const all = layers.reduce((sum, { macs }) => sum + macs, 0);
  const reaches = (other: Mode): boolean => {
    if (other === 'static') return recipe.calibration !== undefined;
    const known = layers.filter(({ op }) => WEIGHT_MODE_OPS[other].includes(op));
    return known.length > 0 && known.reduce((sum, { macs }) => sum + macs, 0) >= LEAST_SHARE * all;
  };
  return MODES.filter((other) => other !== mode && reaches(other)).map((other) => ({
    kind: 'mode',
    title: `Quantize the whole model in ${other} mode`,
    detail: MODE_DETAILS[other],
    change: { kind: 'mode', mode: other },
    preferred: false,
  }));
}

function inMode(select: string, what: string, mode: Mode, because?: string): Suggestion {
  return {
    kind: 'layer-mode',
    title: `Quantize ${what} in ${mode} mode`,
    detail: MODE_DETAILS[mode],
    change: { kind: 'override', override: { select, mode, ...(because === undefined ? {} : { because }) } },
  };
}

const NEEDED: Readonly<Partial<Record<ReasonCode, Mode>>> = {
  'needs-dynamic': 'dynamic',
  'weight-only-at-most': 'weight-only',
};

/** The mode that a layer left in float can be quantized in, for all of its operator at once where there are more. */
export function neededMode(report: Report, { name, op, reason }: LayerReport): Suggestion[] {
  const mode = reason === null ? undefined : NEEDED[reason];
  if (mode === undefined) return [];
  const alike = report.layers.filter((other) => other.op === op && other.reason === reason);
  const one = inMode(name, `"${name}"`, mode);
  return alike.length < 2 ? [one] : [inMode(`op:${op}`, `every ${op}`, mode), one];
}

/** Ranges of their own for every input of a static layer, where the runtime has a kernel for it. */
export function otherModeOf({ framework, mode }: Report, layer: LayerReport, because: string): Suggestion[] {
  const isStatic = framework === 'onnx' && (layer.mode ?? mode) === 'static';
  if (!isStatic || !WEIGHT_MODE_OPS.dynamic.includes(layer.op)) return [];
  return [inMode(layer.name, `"${layer.name}"`, 'dynamic', because)];
}
