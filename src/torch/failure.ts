/** Exceptions of Python as errors of ours: what happened, in which line of the user's, under which key of the recipe. */

import * as path from 'node:path';
import { QuantscopeError, type ErrorCode, type ErrorFix } from '../shared/errors';
import type { Failure } from './protocol';

/** What the worker knows to be wrong, as opposed to what was raised. */
const KINDS: Readonly<Record<string, { readonly code: ErrorCode; readonly hint?: string }>> = {
  reference: {
    code: 'recipe-invalid',
    hint: 'Name a function of a file, `file.py:function`, or of a package, `package.module:function`.',
  },
  'not-found': { code: 'file-not-found' },
  twin: { code: 'recipe-invalid', hint: 'Remove the path from `torch.twins`.' },
  'not-a-module': { code: 'model-invalid', hint: 'The factory must return the fp32 torch.nn.Module itself.' },
  'state-dict': { code: 'model-invalid', hint: 'A state_dict has weights only, not the network that they belong to.' },
  unpickle: {
    code: 'model-unreadable',
    hint: 'A pickle needs the classes that it was made of; a factory with weights does not.',
  },
  inputs: {
    code: 'recipe-invalid',
    hint: 'For example `torch: { inputs: { image: [1, 3, 224, 224] } }`, or `--shape image=1,3,224,224` of a benchmark.',
  },
  weights: { code: 'plan-impossible' },
  data: { code: 'data-empty' },
  engine: { code: 'backend-unknown', hint: 'Choose one of the engines that this build of torch has.' },
  untraceable: { code: 'torch-untraceable' },
  stubs: { code: 'plan-impossible' },
  torchao: {
    code: 'torch-missing',
    hint: 'Install one that fits this torch: `python -m pip install --upgrade torchao`, with the interpreter of the recipe.',
  },
};

export function failureError({ kind, message, where, facts, frames, traceback }: Failure): QuantscopeError {
  const known = KINDS[kind];
  const remedies = facts === null ? [] : untraceableRemedies(facts);
  const key = where === null ? '' : `\`${where}\`: `;
  const places = frames.slice(-3).map((frame) => `  ${path.basename(frame.file)}:${frame.line} in ${frame.function}`);
  const text = [`${key}${sentence(message)}`, ...places].join('\n');
  const advice = [...remedies.map((remedy) => remedy.advice), ELSEWHERE].join(', or ');
  const hint = remedies.length === 0 ? known?.hint : sentence(advice);
  return new QuantscopeError(known?.code ?? 'torch-failed', text, {
    ...(hint === undefined ? {} : { hint }),
    fixes: remedies.map(({ title, change }) => ({ title, change })),
    cause: new Error(traceback),
  });
}

/** What helps where nothing in the recipe does. */
const ELSEWHERE = 'export the model to ONNX (in a terminal: `quantscope export`)';

interface TorchRemedy extends ErrorFix {
  /** The same for somebody who edits the recipe by hand. */
  readonly advice: string;
}

function untraceableRemedies({ leaves, stubs }: NonNullable<Failure['facts']>): TorchRemedy[] {
  const [first, ...others] = leaves;
  const whole = others.length === 0 ? `"${first}"` : `${leaves.length} modules`;
  const paths = leaves.map((path) => JSON.stringify(path)).join(', ');
  return [
    ...(stubs
      ? [
          {
            title: 'Quantize in Eager Mode',
            advice: 'use `mode: eager`, which needs no trace and finds the stubs of this model',
            change: { kind: 'mode', mode: 'eager' } as const,
          },
        ]
      : []),
    ...(first === undefined
      ? []
      : [
          {
            title: `Keep ${whole} Whole`,
            advice: `keep what branches whole and in float, \`torch: { leaves: [${paths}] }\``,
            change: { kind: 'leaves', modules: leaves } as const,
          },
        ]),
  ];
}

function sentence(message: string): string {
  const text = message.trim();
  const capital = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?]$/.test(capital) ? capital : `${capital}.`;
}
