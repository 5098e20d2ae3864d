import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Recipe } from '../shared/recipe';
import type { Check } from './protocol';
import { settingsFor, settingsOf, settingsWarnings, type Settings } from './settings';

const HERE: Check = {
  ...{ python: '3.11.7', executable: '/usr/bin/python3', torch: '2.15.0', engines: ['fbgemm', 'qnnpack'], fx: true },
  ...{ torchao: '0.18.0', torchvision: null, problem: null, install: 'torch' },
};

const settingsIn = (recipe: Partial<Recipe>, check: Partial<Check>): Settings =>
  settingsFor(settingsOf({ framework: 'torch', model: 'net.py:build', backend: 'fbgemm', ...recipe }), {
    ...HERE,
    ...check,
  });

test('FX graph mode where torch has it, its heir where not, and that is said', () => {
  assert.equal(settingsIn({}, {}).mode, 'static');
  assert.deepEqual(settingsWarnings(settingsIn({}, {})), []);
  const instead = settingsIn({}, { fx: false });
  assert.equal(instead.mode, 'pt2e');
  assert.match(settingsWarnings(instead).join(), /instead of FX graph mode, prepare_pt2e/u);
  assert.deepEqual(settingsWarnings(settingsIn({ mode: 'pt2e' }, {})), []);
  assert.throws(() => settingsIn({ mode: 'qat' }, { fx: false }), {
    code: 'torch-missing',
    message: /no longer has torch\.ao\.quantization, which `mode: qat` needs/u,
  });
});

test('without torchao, mode pt2e names the command that installs it', () => {
  assert.throws(() => settingsIn({ mode: 'pt2e' }, { torchao: null }), {
    code: 'torch-missing',
    hint: /\/usr\/bin\/python3 -m pip install torchao/u,
  });
});

test('mode pt2e has no quantizer for qnnpack, and takes no leaves; the engine does not matter', () => {
  assert.throws(() => settingsIn({ mode: 'pt2e', backend: 'qnnpack' }, {}), {
    code: 'plan-impossible',
    message: /no quantizer for qnnpack/u,
  });
  assert.throws(() => settingsIn({ mode: 'pt2e', torch: { leaves: ['conv'] } }, {}), {
    code: 'plan-impossible',
    message: /takes no `torch\.leaves`/u,
  });
  assert.equal(settingsIn({ mode: 'pt2e', backend: 'onednn' }, {}).mode, 'pt2e');
  assert.throws(() => settingsIn({ backend: 'onednn' }, {}), { code: 'backend-unknown' });
});
