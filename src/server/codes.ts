/**
 * Everything the language server may find, as a table: `docs/diagnostics.md` is made from it, and each
 * diagnostic links to its heading there. Codes are stable.
 */

import type { DiagnosticSeverity } from 'vscode-languageserver';

interface Code {
  readonly severity: DiagnosticSeverity;
  /** What was found, as a heading. */
  readonly title: string;
  /** What it means for the run. */
  readonly meaning: string;
  readonly advice: string;
}

/** Numbers of the protocol, whose own table would load the whole library into whatever only reads this one. */
export const ERROR = 1;
export const WARNING = 2;
export const INFORMATION = 3;

export const CODES = {
  syntax: {
    severity: ERROR,
    title: 'The YAML cannot be read',
    meaning: 'The text is no valid YAML, so nothing else can be checked.',
    advice: 'Correct the place that is marked; mostly it is the indentation, a missing colon or a quote.',
  },
  'unknown-key': {
    severity: ERROR,
    title: 'A key that recipes do not have',
    meaning: 'A key that is not known would be ignored, so the run refuses the recipe.',
    advice: 'Take the key that is suggested, or remove it. The README lists all keys.',
  },
  'missing-key': {
    severity: ERROR,
    title: 'A key is missing',
    meaning: 'The recipe cannot run without this key.',
    advice: 'Add the key that the message names.',
  },
  'invalid-value': {
    severity: ERROR,
    title: 'A value that is not allowed',
    meaning: 'The value has the wrong kind, or is none of those that the key takes.',
    advice: 'Take one of the values in the message.',
  },
  'recipe-too-large': {
    severity: INFORMATION,
    title: 'The file is too large to be checked while typing',
    meaning: 'Recipes are a few kilobytes. This one is not read by the editor; a run still reads it.',
    advice: 'Use globs, `scope:` or `op:` instead of one entry for each layer.',
  },
  'model-missing': {
    severity: ERROR,
    title: 'The model is not there',
    meaning: 'There is no file at the path of `model`, which is relative to the recipe.',
    advice: 'Correct the path, or put the model there.',
  },
  'model-unreadable': {
    severity: ERROR,
    title: 'The model cannot be read',
    meaning: 'The file is not a complete ONNX model.',
    advice: 'Export or download it again.',
  },
  'data-missing': {
    severity: ERROR,
    title: 'Data or labels are not there',
    meaning: 'There is no file or folder at this path, which is relative to the recipe, or no file matches the glob.',
    advice: 'Correct the path.',
  },
  'calibration-missing': {
    severity: ERROR,
    title: 'Static quantization without calibration data',
    meaning: 'In static mode the ranges of activations are measured beforehand, which needs data.',
    advice: 'Add `calibration: { data: … }`, or choose `mode: dynamic` or `mode: weight-only`.',
  },
  'synthetic-data': {
    severity: WARNING,
    title: 'Calibration on random numbers',
    meaning: 'The ranges will be those of random numbers, and the accuracy of the result says little.',
    advice: 'Name a folder with some hundred inputs of the kind the model will meet.',
  },
  'labels-missing': {
    severity: ERROR,
    title: 'A gate on the accuracy without labels',
    meaning:
      '`max-accuracy-drop` needs top-1 accuracy, which needs `validate` with `data` and `labels`; the gate would always fail.',
    advice: 'Add labels to `validate`, or use `min-output-sqnr`, which needs none.',
  },
  'selector-unmatched': {
    severity: ERROR,
    title: 'A selector that matches no layer',
    meaning: 'The entry would have no effect, so the run refuses the recipe.',
    advice: 'Take one of the suggested names; completion lists all of them.',
  },
  'selector-folded': {
    severity: WARNING,
    title: 'A selector that matches only nodes which are folded away',
    meaning:
      'Constants and batch normalizations are folded before quantizing; afterwards the selector will match nothing.',
    advice: 'Select the layer that they are folded into, or turn the folding off under `normalize`.',
  },
  'selector-fused': {
    severity: WARNING,
    title: 'Settings for a node that is part of another layer',
    meaning:
      'The node runs inside the kernel of the layer before, and only the settings of that layer’s main node count.',
    advice: 'Select the main node.',
  },
  'override-shadowed': {
    severity: WARNING,
    title: 'An entry that others override completely',
    meaning: 'Exact name beats glob beats `scope:` beats `op:`, later beats earlier: nothing of this entry counts.',
    advice: 'Remove the entry, or the one that beats it.',
  },
  'override-empty': {
    severity: WARNING,
    title: 'An entry that changes nothing',
    meaning: 'It sets no key, or only what holds without it.',
    advice: 'Add what is to be different, such as `quantize: false`, or remove the entry.',
  },
  'setting-unused': {
    severity: WARNING,
    title: 'A setting without effect',
    meaning: 'Another setting of the recipe makes that this one counts for nothing.',
    advice: 'Remove it, or change the setting that the message names.',
  },
  'backend-contradiction': {
    severity: WARNING,
    title: 'Something the backend does not do',
    meaning: 'The target’s rules know no such kernel: the setting is ignored, or the layer runs in float there.',
    advice: 'Remove the setting, or choose a backend that can.',
  },
  'plan-impossible': {
    severity: ERROR,
    title: 'Settings that exclude each other',
    meaning: 'The format or the opset cannot express what the recipe asks for; the run refuses it.',
    advice: 'Change one of the two as the message says.',
  },
  'opset-too-old': {
    severity: ERROR,
    title: 'The opset cannot express the quantized form',
    meaning: 'Scales per channel need opset 13, activations of 16 bits opset 21, and the recipe forbids to raise it.',
    advice: 'Use `normalize: { opset: auto }`, or export the model at that opset.',
  },
  'layer-low-sqnr': {
    severity: WARNING,
    title: 'A layer below the threshold',
    meaning:
      'In the last run the int8 layer, fed fp32 inputs, had less SQNR than the setting `quantscope.threshold` asks for.',
    advice:
      'The quick fixes keep the layer in float, take another observer, or give it more bits. Run again to see what it brought.',
  },
  'layer-fallback': {
    severity: INFORMATION,
    title: 'A layer that was to run in int8 and does not',
    meaning: 'The layer runs in float, with conversions around it that cost time. The message says why.',
    advice: 'Exclude it on purpose, or change what the reason names.',
  },
  'more-findings': {
    severity: INFORMATION,
    title: 'More layers than are listed',
    meaning: 'At most `quantscope.maxFindings` layers are named, worst first.',
    advice: 'The layer view shows all of them.',
  },
  'gate-failed': {
    severity: WARNING,
    title: 'A gate that the last run did not pass',
    meaning: 'A run by this recipe ends with exit status 1.',
    advice: 'Fix the worst layers, or decide that the limit is too strict.',
  },
} as const satisfies Record<string, Code>;

export type FindingCode = keyof typeof CODES;

/** `docs/diagnostics.md` */
export function diagnosticsDocument(): string {
  const words = { [ERROR]: 'Error', [WARNING]: 'Warning', [INFORMATION]: 'Information' } as const;
  const parts = Object.entries(CODES).map(([code, { severity, title, meaning, advice }]) =>
    [`## ${code}`, `**${title}.** ${words[severity]}.`, meaning, advice].join('\n\n'),
  );
  const head =
    '# What the recipe editor finds\n\nEvery problem that Quantscope shows in a `*.quant.yaml`, by its code. ' +
    'This page is made from `src/server/codes.ts` by `npm run generate:schema`.';
  return `${[head, ...parts].join('\n\n')}\n`;
}
