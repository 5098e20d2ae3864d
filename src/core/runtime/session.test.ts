import assert from 'node:assert/strict';
import { test } from 'node:test';
import { buildModel, f32, node } from '../normalize/fixtures/models';
import { TensorProto_DataType } from '../onnx/generated/onnx_pb';
import { graphOf } from '../onnx/model';
import { openSession } from './session';

test('an input that is no tensor of numbers is refused by name when the model is to run', async () => {
  const model = buildModel({
    opset: 17,
    inputs: { x: [1, 2], city: [1] },
    nodes: [node('Neg', ['x'], ['y']), node('Identity', ['city'], ['same'])],
    outputs: ['y', 'same'],
  });
  const type = graphOf(model).input[1]?.type?.value;
  assert.ok(type?.case === 'tensorType');
  type.value.elemType = TensorProto_DataType.STRING;
  const session = await openSession(model);
  try {
    assert.deepEqual(
      session.inputs.map(({ name }) => name),
      ['x'],
    );
    await assert.rejects(session.run({ x: f32([1, 2], [1, 2]) }), {
      code: 'input-unsupported',
      message: 'The input "city" is a tensor of string: only numbers can be fed.',
    });
  } finally {
    await session.close();
  }
});
