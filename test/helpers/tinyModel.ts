/** Models of one node, written to a file. */

import { create } from '@bufbuild/protobuf';
import { GraphProtoSchema } from '../../src/core/onnx/generated/onnx_pb';
import { makeNode } from '../../src/core/onnx/model';
import { writeModel } from '../../src/core/onnx/write';
import { valueInfo } from '../../src/core/runtime/inspect';
import type { ElementType } from '../../src/core/tensor';
import { modelOf } from '../fixtures/onnx/models';

/** `y = op(x)`, the output of the shape of the input. */
export async function writeTinyModel(
  file: string,
  shape: readonly (number | string)[],
  { op = 'Identity', type = 'float32' }: { readonly op?: string; readonly type?: ElementType } = {},
): Promise<void> {
  const graph = create(GraphProtoSchema, {
    name: 'tiny',
    node: [makeNode({ op, name: 'only', inputs: ['x'], outputs: ['y'] })],
    input: [valueInfo('x', type, shape)],
    output: [valueInfo('y', type, shape)],
  });
  await writeModel(file, { proto: modelOf(graph) });
}
