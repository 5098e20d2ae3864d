/** One int8 model under construction: what the converters of all modes share, so that layers of unlike modes stand side by side. */

import { QuantscopeError } from '../../shared/errors';
import type { Convention } from '../calibrate/qparams';
import type { NodeProto } from '../onnx/generated/onnx_pb';
import { Graph } from '../onnx/graph';
import type { OnnxModel } from '../onnx/model';
import type { Plan, PlannedLayer } from '../plan/types';
import type { Mode } from '../../shared/recipe';
import type { Tensor } from '../tensor';
import { ModelEditor } from './edits';
import { Exposure } from './exposure';
import type { Conversion, QuantizedActivation, QuantizedWeight } from './types';

export class Construction {
  readonly plan: Plan;
  readonly convention: Convention;
  /** Of the fp32 model. */
  readonly graph: Graph;
  readonly editor: ModelEditor;
  readonly exposure: Exposure;
  /** By name of the float tensor. */
  readonly activations = new Map<string, QuantizedActivation>();
  /** By name of the layer. */
  readonly weights = new Map<string, QuantizedWeight>();
  readonly warnings: string[] = [];
  readonly #nodes: ReadonlyMap<string, NodeProto>;

  constructor(model: OnnxModel, plan: Plan, convention: Convention) {
    this.plan = plan;
    this.convention = convention;
    this.graph = new Graph(model);
    this.editor = new ModelEditor(model);
    this.exposure = new Exposure(plan, this.graph);
    this.#nodes = this.editor.nodesByName();
  }

  /** The quantized layers of a mode. */
  layersOf(mode: Mode): PlannedLayer[] {
    return this.plan.layers.filter((layer) => layer.quantize && layer.mode === mode);
  }

  /** The node of the int8 model that a node of the fp32 model became. */
  nodeOf(original: NodeProto): NodeProto {
    const node = this.#nodes.get(original.name);
    if (node === undefined) throw new QuantscopeError('internal', `Node "${original.name}" is not in the copy.`);
    return node;
  }

  constantOf(tensor: string): Tensor {
    const constant = this.graph.constant(tensor);
    if (constant === undefined) throw new QuantscopeError('internal', `"${tensor}" is not constant.`);
    return constant;
  }

  finish(): Conversion {
    const { activations, weights, warnings } = this;
    return { model: this.editor.finish(), activations, weights, warnings };
  }
}
