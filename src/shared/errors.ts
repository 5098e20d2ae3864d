/**
 * Every failure a user can meet, as data: one code, its exit status, and what to do about it.
 * Codes are stable: they appear in logs, in `--json` output and in links to the documentation.
 */

import type { RecipeChange } from './fixes';

/** Exit statuses of the terminal (README, "Exit codes"). */
export const EXIT = { ok: 0, gateFailed: 1, badInput: 2, engineFailure: 3, cancelled: 130 } as const;

export type ExitStatus = (typeof EXIT)[keyof typeof EXIT];

/** `hint` is the default advice; a throw site that knows better passes its own. */
export const ERROR_CODES = {
  usage: { exit: EXIT.badInput, hint: 'Run `quantscope --help` for the commands and their options.' },
  'file-not-found': {
    exit: EXIT.badInput,
    hint: 'Check the path; relative paths start at the recipe or the current folder.',
  },
  'file-unwritable': {
    exit: EXIT.engineFailure,
    hint: 'Check the permissions and the free space of the output folder.',
  },
  'disk-full': {
    exit: EXIT.engineFailure,
    hint: 'Free some space or choose another output folder, then run again; nothing was overwritten.',
  },
  'model-unreadable': {
    exit: EXIT.badInput,
    hint: 'The file is not a complete ONNX model. Export or download it again.',
  },
  'model-invalid': {
    exit: EXIT.badInput,
    hint: 'The graph breaks the ONNX rules. Check it with `onnx.checker` and export it again.',
  },
  'model-too-large': { exit: EXIT.badInput, hint: 'Save the model with external data.' },
  'opset-missing': {
    exit: EXIT.badInput,
    hint: 'The model imports no ONNX operator set. Export it again with a newer exporter.',
  },
  'opset-unsupported': { exit: EXIT.badInput, hint: 'Export the model at opset 13 or newer.' },
  'opset-conversion': {
    exit: EXIT.badInput,
    hint: 'Export the model at opset 13 or newer, or set `normalize: { opset: keep }`.',
  },
  'custom-op': {
    exit: EXIT.badInput,
    hint: 'The runtime has no kernel for this operator. Quantize the part of the model without it.',
  },
  'external-data-unsafe': { exit: EXIT.badInput, hint: 'External data must lie inside the folder of the model.' },
  'external-data-missing': { exit: EXIT.badInput, hint: 'Copy the external data file beside the model.' },
  'recipe-invalid': { exit: EXIT.badInput, hint: 'Correct the recipe; the message names the key and the line.' },
  'selector-unmatched': {
    exit: EXIT.badInput,
    hint: 'Use one of the suggested names, or list the layers with `quantscope inspect`.',
  },
  'data-empty': {
    exit: EXIT.badInput,
    hint: 'Point `calibration.data` at a folder or file that holds at least one readable sample.',
  },
  'data-invalid': {
    exit: EXIT.badInput,
    hint: 'Check that the samples have the names, types and shapes of the model inputs.',
  },
  'input-unsupported': {
    exit: EXIT.badInput,
    hint: 'Cut the model behind this input, so that it takes numbers, and quantize that.',
  },
  'data-untrusted': {
    exit: EXIT.badInput,
    hint: 'JavaScript data modules run code: pass `--trust`, or trust the workspace.',
  },
  'not-comparable': {
    exit: EXIT.badInput,
    hint: 'Check the model and its inputs in fp32: NaN and infinities leave nothing to compare an int8 model with.',
  },
  'preprocess-unknown': {
    exit: EXIT.badInput,
    hint: 'Name a preset (imagenet, caffe, tf, unit) or give the preprocess block.',
  },
  'labels-invalid': { exit: EXIT.badInput, hint: 'The labels file has one `file<TAB>class index` per line.' },
  'backend-unknown': { exit: EXIT.badInput, hint: 'Choose one of the backends listed in the message.' },
  'plan-impossible': {
    exit: EXIT.badInput,
    hint: 'The recipe asks for something the backend or the opset cannot express.',
  },
  'report-invalid': {
    exit: EXIT.badInput,
    hint: 'The file is not a Quantscope report of a version this program knows.',
  },
  'reference-random': {
    exit: EXIT.badInput,
    hint: 'Export the model in evaluation mode, or feed the scale of its noise as zero: what differs by itself cannot tell what quantizing changes.',
  },
  'runtime-rejected': { exit: EXIT.badInput, hint: 'onnxruntime does not load this model; its message tells why.' },
  'runtime-failed': {
    exit: EXIT.engineFailure,
    hint: 'onnxruntime failed while running the model; its message tells why.',
  },
  'float-not-kept': {
    exit: EXIT.engineFailure,
    hint: 'This is a fault of Quantscope: please report it with the message. Nothing was overwritten. Until it is mended, let the named layers be quantized.',
  },
  'runtime-missing': {
    exit: EXIT.engineFailure,
    hint: 'The engine runs on Linux and Windows (x64, ARM64) and on macOS (ARM64). Elsewhere recipes and reports can be read, but no model runs; a remote machine or a container of those kinds can run it.',
  },
  'torch-untrusted': {
    exit: EXIT.badInput,
    hint: 'A PyTorch model runs Python code: pass `--trust`, or trust the workspace.',
  },
  'torch-missing': {
    exit: EXIT.badInput,
    hint: 'Install torch 1.13 or newer into a `.venv` beside the recipe, or name the interpreter as `torch: { python: … }`.',
  },
  'torch-untraceable': { exit: EXIT.badInput, hint: 'Export the model to ONNX, and quantize that.' },
  'torch-failed': { exit: EXIT.badInput, hint: 'Python raised an exception; the message names the line.' },
  'torch-crashed': {
    exit: EXIT.engineFailure,
    hint: 'The Python process ended in the middle of its work; the log has what it printed.',
  },
  'out-of-memory': { exit: EXIT.engineFailure, hint: 'Lower the memory cap or the number of samples.' },
  'engine-crashed': {
    exit: EXIT.engineFailure,
    hint: 'Run it again; if the engine ends again, report the job named in the message.',
  },
  'protocol-mismatch': { exit: EXIT.engineFailure, hint: 'Client and engine are of different versions: restart both.' },
  'gate-failed': { exit: EXIT.gateFailed, hint: 'A gate of the recipe does not hold.' },
  cancelled: { exit: EXIT.cancelled, hint: 'Nothing was written.' },
  internal: { exit: EXIT.engineFailure, hint: 'This is a fault of Quantscope: please report it with the message.' },
} as const satisfies Record<string, { exit: ExitStatus; hint: string }>;

export type ErrorCode = keyof typeof ERROR_CODES;

/** A change of the recipe that would make up for a failure. */
export interface ErrorFix {
  /** As on a button: `Keep "gate" Whole`. */
  readonly title: string;
  readonly change: RecipeChange;
}

/** What crosses a process boundary instead of an `Error` object. */
export interface ErrorData {
  readonly code: ErrorCode;
  readonly message: string;
  readonly hint: string;
  /** The one to try first comes first; left out where there are none. */
  readonly fixes?: readonly ErrorFix[];
}

/** The one error class: says what happened (`message`), what to do (`hint`), and which failure it is (`code`). */
export class QuantscopeError extends Error {
  readonly code: ErrorCode;
  readonly hint: string;
  readonly fixes: readonly ErrorFix[];

  constructor(
    code: ErrorCode,
    message: string,
    options: { hint?: string; fixes?: readonly ErrorFix[]; cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'QuantscopeError';
    this.code = code;
    this.hint = options.hint ?? ERROR_CODES[code].hint;
    this.fixes = options.fixes ?? [];
  }

  get exit(): ExitStatus {
    return ERROR_CODES[this.code].exit;
  }

  toData(): ErrorData {
    const { code, message, hint, fixes } = this;
    return { code, message, hint, ...(fixes.length === 0 ? {} : { fixes }) };
  }

  static fromData({ code, message, hint, fixes = [] }: ErrorData): QuantscopeError {
    return new QuantscopeError(code, message, { hint, fixes });
  }
}

/** System error numbers that mean something to a user. */
const SYSTEM_ERRORS: Readonly<Record<string, ErrorCode>> = {
  ENOENT: 'file-not-found',
  ENOTDIR: 'file-not-found',
  ENOSPC: 'disk-full',
  EDQUOT: 'disk-full',
  EACCES: 'file-unwritable',
  EPERM: 'file-unwritable',
  EROFS: 'file-unwritable',
};

/** Gives any thrown value a code: system errors by number, cancellation by name, everything else `fallback`. */
export function toQuantscopeError(thrown: unknown, fallback: ErrorCode = 'internal'): QuantscopeError {
  if (thrown instanceof QuantscopeError) return thrown;
  if (!(thrown instanceof Error)) return new QuantscopeError(fallback, String(thrown));
  // Of another bundle, whose class is another one.
  if (thrown.name === 'QuantscopeError' && 'code' in thrown && 'hint' in thrown) {
    return QuantscopeError.fromData(thrown as Error & ErrorData);
  }
  if (thrown.name === 'AbortError')
    return new QuantscopeError('cancelled', 'The run was cancelled.', { cause: thrown });
  // What an array that is too large throws; other RangeErrors are faults of ours.
  if (thrown instanceof RangeError && /allocation failed|Invalid (?:typed )?array length/.test(thrown.message)) {
    return new QuantscopeError('out-of-memory', `${thrown.message}.`, { cause: thrown });
  }
  const errno = 'code' in thrown && typeof thrown.code === 'string' ? thrown.code : '';
  return new QuantscopeError(SYSTEM_ERRORS[errno] ?? fallback, thrown.message, { cause: thrown });
}

/** Throws `cancelled` once the signal is aborted; long loops call it between steps. */
export function throwIfCancelled(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) throw new QuantscopeError('cancelled', 'The run was cancelled.');
}
