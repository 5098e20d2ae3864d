import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { after, describe, test } from 'node:test';
import { readModel, serializeModel } from '../onnx/model';
import { prepare } from './prepare';

const SAMPLE = path.join(__dirname, '../../../samples/shapes.onnx');
const folder = mkdtempSync(path.join(os.tmpdir(), 'quantscope-opsets-'));
after(() => rmSync(folder, { recursive: true }));

describe('operator sets that the runtime does not know', () => {
  for (const [opset, message] of [
    [5, /^The model has opset 5; onnxruntime runs 7 and newer\.$/],
    [99, /^The model has opset 99; this onnxruntime knows 7 to \d+\.$/],
  ] as const) {
    test(String(opset), async () => {
      const model = await readModel(SAMPLE);
      for (const entry of model.proto.opsetImport) if (entry.domain === '') entry.version = BigInt(opset);
      writeFileSync(path.join(folder, `${opset}.onnx`), serializeModel(model));
      await assert.rejects(prepare({ model: `${opset}.onnx` }, folder, {}), { code: 'opset-unsupported', message });
    });
  }
});
