/**
 * Random operators draw alike in every model that is compared: each gets a seed of its own, where the user gave none.
 * onnxruntime then starts each session with the same numbers and goes on by one draw a run, so two sessions agree as
 * long as both have run as often. What is written has no such seed: the user's model stays as random as it was.
 */

import { attribute, makeAttribute, subgraphs } from '../onnx/attributes';
import type { GraphProto, NodeProto } from '../onnx/generated/onnx_pb';
import { opKey } from '../onnx/graph';
import { cloneModel, graphOf, type OnnxModel } from '../onnx/model';

/** Operators with an attribute `seed`, of which Dropout's is an integer. Without it Dropout draws by the clock. */
const RANDOM: Readonly<Record<string, 'float' | 'int'>> = {
  RandomNormal: 'float',
  RandomNormalLike: 'float',
  RandomUniform: 'float',
  RandomUniformLike: 'float',
  Bernoulli: 'float',
  Multinomial: 'float',
  Dropout: 'int',
};

/** What tells our seeds from the user's. */
const OURS = 'quantscope: for measuring only';

/** An operator that draws; a Dropout only where something tells it to train. */
function draws(node: NodeProto): boolean {
  const op = opKey(node);
  return Object.hasOwn(RANDOM, op) && (op !== 'Dropout' || (node.input[2] ?? '') !== '');
}

/** All of a graph and of its subgraphs. */
export function randomNodes(graph: GraphProto): NodeProto[] {
  return graph.node.flatMap((node) => [...(draws(node) ? [node] : []), ...subgraphs(node).flatMap(randomNodes)]);
}

/** The model itself where nothing is random. */
export function seeded(model: OnnxModel): OnnxModel {
  if (randomNodes(graphOf(model)).length === 0) return model;
  const copy = cloneModel(model);
  for (const [index, node] of randomNodes(graphOf(copy)).entries()) {
    if (attribute(node, 'seed') !== undefined) continue;
    // Equal seeds would make two operators draw the same numbers.
    const value = index + 1;
    const seed = makeAttribute('seed', RANDOM[opKey(node)] === 'int' ? value : { f: value });
    seed.docString = OURS;
    node.attribute.push(seed);
  }
  return copy;
}

/** Without the seeds of {@link seeded}. */
export function unseeded(model: OnnxModel): OnnxModel {
  if (randomNodes(graphOf(model)).length === 0) return model;
  const copy = cloneModel(model);
  for (const node of randomNodes(graphOf(copy))) {
    node.attribute = node.attribute.filter(({ name, docString }) => name !== 'seed' || docString !== OURS);
  }
  return copy;
}
