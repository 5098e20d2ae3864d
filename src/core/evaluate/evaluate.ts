/** Accuracy of a classifier on a labelled set, streamed. */

import * as path from 'node:path';
import { QuantscopeError, throwIfCancelled } from '../../shared/errors';
import type { EvaluateInput, Evaluation } from '../../shared/evaluation';
import { preprocessOf } from '../../shared/recipe';
import { openDataset } from '../data/dataset';
import { checkClasses, readLabelsFor, type Labels } from '../labels';
import type { JobContext } from '../pipeline/types';
import { RateMeter } from '../rate';
import { openSession, type Session } from '../runtime/session';
import type { Tensor } from '../tensor';
import { classScores, TopK } from './classification';

/**
 * Runs the model on every labelled sample and counts. The scores are the first output that is one
 * row of floats with a place for every label.
 * @throws `labels-invalid` where no sample has a label or a label has no class; `data-invalid` where no output
 *   holds class scores; the errors of the model and of the data
 */
export async function evaluate(input: EvaluateInput, context: JobContext = {}): Promise<Evaluation> {
  const { signal } = context;
  const resolve = (file: string): string => path.resolve(input.baseDir, file);
  const model = resolve(input.model);
  const session = await openSession(model, context.threads === undefined ? {} : { threads: context.threads });
  try {
    const dataset = await openDataset(input.data, session.inputs, {
      baseDir: input.baseDir,
      preprocess: preprocessOf(input.preprocess),
      ...(input.samples === undefined ? {} : { samples: input.samples }),
      trusted: context.trusted === true,
    });
    const labels = await readLabelsFor(resolve(input.labels), dataset.ids);
    const labelled = dataset.ids.filter((id) => labels.find(id) !== undefined).length;
    const progress = new RateMeter('evaluate', labelled, context.onProgress);
    const topK = new TopK();
    let chosen: { readonly name: string; readonly classes: number } | undefined;
    let milliseconds = 0;
    for await (const { id, feeds } of dataset.samples(signal)) {
      const label = labels.find(id);
      if (label === undefined) continue;
      const fetches = chosen === undefined ? undefined : [chosen.name];
      const start = performance.now();
      const outputs = await session.run(feeds, fetches);
      milliseconds += performance.now() - start;
      throwIfCancelled(signal);
      chosen ??= chooseOutput(session, outputs, labels);
      const tensor = outputs[chosen.name];
      const scores = tensor === undefined ? undefined : classScores(tensor);
      if (scores === undefined) {
        throw new QuantscopeError('data-invalid', `Output "${chosen.name}" holds no class scores for ${id}.`);
      }
      topK.add(scores, label);
      progress.step();
    }
    if (chosen === undefined) {
      const [first] = dataset.skipped;
      const why = first === undefined ? '' : ` ${first.item}: ${first.reason}`;
      throw new QuantscopeError('data-empty', `None of the ${labelled} labelled samples could be read.${why}`);
    }
    return {
      model,
      output: chosen.name,
      classes: chosen.classes,
      samples: topK.samples,
      top1: topK.top1,
      top5: topK.top5,
      milliseconds: milliseconds / topK.samples,
      unlabelled: dataset.ids.length - labelled,
      missing: input.samples === undefined ? labels.missing(dataset.ids).length : 0,
      skipped: dataset.skipped,
    };
  } finally {
    await session.close();
  }
}

/** Decided by what the first run really returned: declared shapes may be symbolic. */
function chooseOutput(
  session: Session,
  outputs: Readonly<Record<string, Tensor>>,
  labels: Labels,
): { readonly name: string; readonly classes: number } {
  const candidates = session.outputs.flatMap(({ name }) => {
    const tensor = outputs[name];
    const scores = tensor === undefined ? undefined : classScores(tensor);
    return scores === undefined ? [] : [{ name, classes: scores.length }];
  });
  const fitting = candidates.find(({ classes }) => classes > labels.highest);
  if (fitting !== undefined) return fitting;
  const [widest] = candidates.toSorted((a, b) => b.classes - a.classes);
  if (widest !== undefined) checkClasses(labels, widest.classes, `"${widest.name}"`);
  const shapes = session.outputs.map(({ name, shape }) => `"${name}" [${shape.join(', ')}]`).join(', ');
  throw new QuantscopeError('data-invalid', `No output of the model holds class scores: ${shapes}.`, {
    hint: '`evaluate` is for classifiers: one output with one score for every class.',
  });
}
