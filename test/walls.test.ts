/** The walls between the folders hold: each offending snippet, linted as if it stood in a file there, is refused. */

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { ESLint } from 'eslint';
import tseslint from 'typescript-eslint';

const ROOT = join(__dirname, '..');

const IMPORT = 'no-restricted-imports';
const SYNTAX = 'no-restricted-syntax';
const GLOBAL = 'no-restricted-globals';

const RULES = new Set([IMPORT, SYNTAX, GLOBAL, 'no-restricted-exports', 'no-console']);

interface Snippet {
  readonly file: string;
  readonly code: string;
}

const from = (path: string): string => `import { x } from '${path}';\nx();`;

const REFUSED: readonly (Snippet & { readonly rule: string })[] = [
  { file: 'src/shared/a.ts', code: from('../core/tensor'), rule: IMPORT },
  { file: 'src/shared/a.ts', code: from('../engine/main'), rule: IMPORT },
  { file: 'src/shared/deep/a.ts', code: from('../../core/tensor'), rule: IMPORT },
  { file: 'src/shared/a.ts', code: from('../../package.json'), rule: IMPORT },
  { file: 'src/shared/a.ts', code: from('node:fs'), rule: IMPORT },
  { file: 'src/shared/a.ts', code: from('fs/promises'), rule: IMPORT },
  { file: 'src/shared/a.ts', code: 'export const x = process.platform;', rule: GLOBAL },
  { file: 'src/core/a.ts', code: from('../engine/main'), rule: IMPORT },
  { file: 'src/core/a.ts', code: from('../cli'), rule: IMPORT },
  { file: 'src/core/plan/a.ts', code: from('../../cli/main'), rule: IMPORT },
  { file: 'src/core/plan/rules/deep/a.ts', code: from('../../../../server/main'), rule: IMPORT },
  { file: 'src/core/plan/a.ts', code: from('../../torch/worker'), rule: IMPORT },
  { file: 'src/core/plan/a.ts', code: from('../../extension/main'), rule: IMPORT },
  { file: 'src/core/plan/a.ts', code: from('../../../webview/main'), rule: IMPORT },
  { file: 'src/core/plan/a.ts', code: from('../../../test/helpers'), rule: IMPORT },
  { file: 'src/core/plan/a.ts', code: from('node:child_process'), rule: IMPORT },
  { file: 'src/core/plan/a.ts', code: from('https'), rule: IMPORT },
  { file: 'src/core/plan/a.ts', code: "export const page = fetch('x');", rule: GLOBAL },
  { file: 'src/core/runtime/a.ts', code: from('../../engine/main'), rule: IMPORT },
  { file: 'src/core/runtime/a.ts', code: from('node:net'), rule: IMPORT },
  { file: 'src/engine/a.ts', code: from('../cli/main'), rule: IMPORT },
  { file: 'src/engine/a.ts', code: from('../server/main'), rule: IMPORT },
  { file: 'src/server/a.ts', code: from('../engine/main'), rule: IMPORT },
  { file: 'src/cli/a.ts', code: from('../engine/main'), rule: IMPORT },
  { file: 'src/cli/commands/a.ts', code: from('../../extension/main'), rule: IMPORT },
  { file: 'src/torch/a.ts', code: from('../engine/main'), rule: IMPORT },
  { file: 'src/extension/a.ts', code: from('../core/tensor'), rule: IMPORT },
  { file: 'src/extension/a.ts', code: from('../engine/main'), rule: IMPORT },
  { file: 'webview/a.ts', code: from('../src/core/tensor'), rule: IMPORT },
  { file: 'webview/views/a.ts', code: from('../../src/extension/main'), rule: IMPORT },
  { file: 'webview/a.ts', code: from('node:path'), rule: IMPORT },
  ...['src/shared', 'src/core', 'src/engine', 'src/server', 'src/cli', 'src/torch', 'webview', 'test', 'bench'].map(
    (folder) => ({ file: `${folder}/a.ts`, code: from('vscode'), rule: IMPORT }),
  ),
  ...['src/shared', 'src/core', 'src/core/convert', 'src/engine', 'src/cli', 'src/server', 'src/extension'].map(
    (folder) => ({ file: `${folder}/a.ts`, code: from('onnxruntime-node'), rule: IMPORT }),
  ),
  { file: 'src/core/a.ts', code: from('onnxruntime-common'), rule: IMPORT },

  // Every form of import, and detours around the patterns.
  { file: 'src/core/a.ts', code: "import type { X } from '../engine/main';\nexport type Y = X;", rule: IMPORT },
  { file: 'src/core/a.ts', code: "export { x } from '../engine/main';", rule: IMPORT },
  { file: 'src/core/a.ts', code: "export * from '../engine/main';", rule: IMPORT },
  { file: 'src/core/a.ts', code: "import '../engine/main';", rule: IMPORT },
  { file: 'src/core/a.ts', code: "export const x = import('../engine/main');", rule: SYNTAX },
  { file: 'src/core/plan/a.ts', code: "export const x = import('onnxruntime-node');", rule: SYNTAX },
  { file: 'src/core/plan/a.ts', code: from('../plan/../../engine/main'), rule: IMPORT },
  { file: 'src/core/plan/a.ts', code: from('./../../engine/main'), rule: IMPORT },
  { file: 'src/core/a.ts', code: from('/src/engine/main'), rule: IMPORT },
  { file: 'src/core/a.test.ts', code: from('../engine/main'), rule: IMPORT },

  // House rules that are enforced by the same means.
  { file: 'src/core/a.ts', code: 'export default 1;', rule: 'no-restricted-exports' },
  { file: 'src/core/a.ts', code: 'export enum Colour { Red }', rule: SYNTAX },
  { file: 'src/engine/a.ts', code: "console.log('x');", rule: 'no-console' },
];

const ALLOWED: readonly Snippet[] = [
  { file: 'src/shared/a.ts', code: from('./errors') },
  { file: 'src/shared/a.ts', code: from('zod') },
  { file: 'src/core/a.ts', code: from('../shared/errors') },
  { file: 'src/core/plan/a.ts', code: from('../../shared/errors') },
  { file: 'src/core/plan/a.ts', code: from('../onnx/graph') },
  { file: 'src/core/plan/a.ts', code: from('./engine/main') },
  { file: 'src/core/plan/a.ts', code: from('../../../package.json') },
  { file: 'src/core/plan/a.ts', code: from('node:fs/promises') },
  { file: 'src/core/runtime/a.ts', code: from('onnxruntime-node') },
  { file: 'src/core/runtime/deep/a.ts', code: from('onnxruntime-node') },
  { file: 'src/core/plan/a.test.ts', code: from('onnxruntime-node') },
  { file: 'src/core/plan/a.test.ts', code: from('../../../test/helpers') },
  { file: 'src/engine/a.ts', code: from('../core/tensor') },
  { file: 'src/engine/a.ts', code: from('node:child_process') },
  { file: 'src/engine/a.ts', code: from('vscode-jsonrpc/node') },
  { file: 'src/cli/commands/a.ts', code: from('../engine') },
  { file: 'src/cli/a.ts', code: from('../core/tensor') },
  { file: 'src/cli/a.ts', code: "console.log('x');" },
  { file: 'src/extension/a.ts', code: from('vscode') },
  { file: 'src/extension/a.ts', code: from('../shared/errors') },
  { file: 'webview/a.ts', code: from('../src/shared/errors') },
  { file: 'test/a.ts', code: from('../src/core/tensor') },
];

// The snippets are in no project, so rules that ask for types cannot run on them; the walls need none.
const eslint = new ESLint({ cwd: ROOT, overrideConfig: [tseslint.configs.disableTypeChecked] });

/** The rules of this file that the snippet breaks; fails where the snippet was not linted at all. */
async function brokenRules({ file, code }: Snippet): Promise<string[]> {
  const [result] = await eslint.lintText(code, { filePath: join(ROOT, file) });
  assert.ok(result !== undefined, `${file} is ignored by the linter`);
  assert.deepEqual(
    result.messages.filter(({ fatal }) => fatal === true),
    [],
  );
  return result.messages.flatMap(({ ruleId }) => (ruleId !== null && RULES.has(ruleId) ? [ruleId] : []));
}

describe('walls', () => {
  for (const { rule, ...snippet } of REFUSED) {
    test(`${snippet.file} may not: ${snippet.code}`, async () => {
      assert.deepEqual(await brokenRules(snippet), [rule]);
    });
  }

  for (const snippet of ALLOWED) {
    test(`${snippet.file} may: ${snippet.code}`, async () => {
      assert.deepEqual(await brokenRules(snippet), []);
    });
  }

  test('no comment in a file can open a wall', async () => {
    const code = `/* eslint-disable */\n${from('../engine/main')} // eslint-disable-line`;
    assert.deepEqual(await brokenRules({ file: 'src/core/a.ts', code }), [IMPORT]);
  });
});
