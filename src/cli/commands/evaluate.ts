import type { Evaluation } from '../../shared/evaluation';
import { defineCommand } from '../command';
import { milliseconds, percent, plural, printable } from '../../shared/format';
import { list, preprocess, required, several, text, wholeNumber } from '../options';
import type { Style } from '../style';
import { pathFrom, warningLines } from '../summary';
import { facts } from '../table';
import { DATA_HELP, jobOptions, toJobOptions } from './shared';

export const evaluate = defineCommand({
  name: 'evaluate',
  summary: 'Top-1 and top-5 accuracy of a classifier, fp32 or int8.',
  usage: 'MODEL --data DIR --labels TSV --preprocess P [--json]',
  positional: { placeholder: 'MODEL', help: 'An ONNX model.' },
  options: {
    data: several(list('DIR', `Labelled data. ${DATA_HELP}`)),
    labels: required(text('TSV', 'Classes, one `file<TAB>class index` per line.')),
    preprocess: required(preprocess()),
    samples: wholeNumber('N', 1, 'Samples, evenly spread over the data. Default all.'),
    threads: jobOptions.threads,
    trust: jobOptions.trust,
  },
  run: async ({ files: [model], values }, { cwd, run }) => {
    const { data, labels, samples } = values;
    const evaluation = await run(
      'evaluate',
      {
        ...{ model, data, labels, preprocess: values.preprocess, baseDir: cwd },
        ...(samples === undefined ? {} : { samples }),
      },
      toJobOptions(values),
    );
    return { json: evaluation, text: (style) => evaluationText(evaluation, cwd, style) };
  },
});

function evaluationText(evaluation: Evaluation, cwd: string, style: Style): string {
  const { top1, top5, samples, milliseconds: mean, classes, output, unlabelled, missing, skipped } = evaluation;
  const some = (n: number, text: string): string[] => (n === 0 ? [] : [text]);
  const notes = [
    ...some(unlabelled, `${plural(unlabelled, 'sample')} without a label.`),
    ...some(missing, `${plural(missing, 'label')} whose file is not among the data.`),
    ...skipped.map(({ item, reason }) => `skipped ${item}: ${reason}`),
  ];
  const figures = facts(
    [
      ['model', pathFrom(cwd, evaluation.model)],
      ['top-1', style.bold(percent(top1))],
      ['top-5', top5 === null ? undefined : percent(top5)],
      ['samples', String(samples)],
      ['classes', `${classes}, of output ${printable(output)}`],
      ['time', `${milliseconds(mean)} for one inference, mean`],
    ],
    style,
  );
  return [warningLines(notes, style), figures].filter((part) => part !== '').join('\n\n');
}
