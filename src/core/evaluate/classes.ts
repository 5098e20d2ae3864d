/**
 * Which output of a model holds the scores of classes. A shape alone does not tell: landmarks and embeddings have that
 * of scores too. Labels say it, the recipe says it, probabilities say it, and an ArgMax at the end says it.
 */

import type { Recipe } from '../../shared/recipe';
import type { ClassEvidence } from '../../shared/report';
import { checkClasses, type Labels } from '../labels';
import { opKey, type Graph } from '../onnx/graph';
import type { Tensor } from '../tensor';
import { classScores } from './classification';

/** What is known beside the values. */
export interface ClassHints {
  readonly labels?: Labels | undefined;
  readonly task?: Recipe['task'];
  readonly graph?: Graph;
  /** First dimension of what the model was fed; an output of another one has no row for each sample. */
  readonly batch?: number | undefined;
}

export interface ClassChoice {
  /** `null` where nothing says that an output holds scores. */
  readonly chosen: { readonly output: string; readonly because: ClassEvidence } | null;
  /** Outputs with the shape of scores. */
  readonly candidates: readonly string[];
}

/**
 * @param outputs of the fp32 model, of one sample, in the order of the model
 * @throws `labels-invalid` where a label has no class in the widest output
 */
export function chooseClasses(
  outputs: Readonly<Record<string, Tensor>>,
  { labels, task, graph, batch }: ClassHints,
): ClassChoice {
  const found = Object.entries(outputs).flatMap(([output, tensor]) => {
    const scores = isOfSamples(tensor, batch) ? classScores(tensor) : undefined;
    return scores === undefined ? [] : [{ output, scores }];
  });
  const candidates = found.flatMap(({ output }) => (graph !== undefined && isOpen(graph, output) ? [] : [output]));
  const choice = (hit: { readonly output: string } | undefined, because: ClassEvidence): ClassChoice => ({
    chosen: hit === undefined ? null : { output: hit.output, because },
    candidates,
  });
  const likely = found.find(({ scores }) => areProbabilities(scores));
  if (labels !== undefined) {
    const widest = Math.max(0, ...found.map(({ scores }) => scores.length));
    if (widest > 0) checkClasses(labels, widest, 'the model');
    const fits = ({ scores }: { readonly scores: Float32Array }): boolean => scores.length > labels.highest;
    return choice(likely !== undefined && fits(likely) ? likely : found.find(fits), 'labels');
  }
  if (task === 'classify') return choice(likely ?? found[0], 'recipe');
  if (graph !== undefined && findsObjects(graph)) return choice(undefined, 'probabilities');
  const compared = found.find(({ output }) => graph !== undefined && isRanked(graph, output));
  return compared === undefined ? choice(likely, 'probabilities') : choice(compared, 'argmax');
}

/** A batch that is fixed repeats the sample, so that each row is one. */
function isOfSamples({ dims }: Tensor, batch: number | undefined): boolean {
  const [rows = 1] = dims;
  return dims.length < 2 || batch === undefined || rows === 1 || rows === batch;
}

/** Whether an axis behind the batch is as long as the input makes it, as that of a sound: there are no classes. */
function isOpen(graph: Graph, output: string): boolean {
  const value = graph.proto.output.find(({ name }) => name === output)?.type?.value;
  const [, ...axes] = (value?.case === 'tensorType' ? value.value.shape?.dim : undefined) ?? [];
  return axes.some(({ value: dim }) => dim.case === 'dimParam');
}

/** Rounding of float16 in the sum of a thousand classes. */
const TOLERANCE = 0.01;

/** Of a Softmax, in whatever form it was exported, or of a LogSoftmax. */
export function areProbabilities(scores: Float32Array): boolean {
  const sum = (of: (score: number) => number): number => scores.reduce((total, score) => total + of(score), 0);
  const isOne = (total: number): boolean => Math.abs(total - 1) < TOLERANCE;
  if (scores.every((score) => score >= 0)) return isOne(sum((score) => score));
  return scores.every((score) => score <= TOLERANCE) && isOne(sum(Math.exp));
}

/** What hands scores on in their order. */
const KEEPS_ORDER: ReadonlySet<string> = new Set([
  ...['Identity', 'Cast', 'Reshape', 'Flatten', 'Squeeze', 'Unsqueeze'],
  ...['Softmax', 'LogSoftmax', 'Log', 'Exp'],
]);
const RANKS: ReadonlySet<string> = new Set(['ArgMax', 'TopK']);

/** Whether the model itself looks for the highest score of an output, before or behind a Softmax. */
function isRanked(graph: Graph, output: string): boolean {
  const reaches = (tensor: string): boolean =>
    graph.uses(tensor).some(({ node, index }) => {
      if (index !== 0) return false;
      const op = opKey(node);
      return RANKS.has(op) || (KEEPS_ORDER.has(op) && reaches(node.output[0] ?? ''));
    });
  const before = (tensor: string): string[] => {
    const node = graph.producer(tensor);
    return node !== undefined && KEEPS_ORDER.has(opKey(node)) ? [tensor, ...before(node.input[0] ?? '')] : [tensor];
  };
  return before(output).some(reaches);
}

/** Operators whose output is as large as what they find. */
const FINDERS: ReadonlySet<string> = new Set(['NonMaxSuppression', 'NonZero', 'Compress', 'Unique']);

/** Whether an output is as large as what the model finds: its scores are those of many objects. */
export function findsObjects(graph: Graph): boolean {
  const seen = new Set<string>();
  const stack = [...graph.outputs];
  for (let tensor = stack.pop(); tensor !== undefined; tensor = stack.pop()) {
    const node = graph.producer(tensor);
    if (node === undefined || seen.has(tensor)) continue;
    seen.add(tensor);
    if (FINDERS.has(opKey(node))) return true;
    stack.push(...node.input);
  }
  return false;
}
