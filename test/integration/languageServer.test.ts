/** The language server as an editor other than VS Code starts it: `quantscope lsp` over standard streams. */

import assert from 'node:assert/strict';
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import * as path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { CodeLens, CompletionList, DocumentSymbol, Hover, InlayHint } from 'vscode-languageserver';
import { CancellationTokenSource } from 'vscode-jsonrpc/node';
import { CODES } from '../../src/server/codes';
import { applied, LanguageClient, messageOf, type ClientOptions } from './languageClient';
import { CLI, missing, runCli, SAMPLES, temporaryFolder } from './support';

const COMMANDS = ['quantize', 'benchmarkPair', 'openLayerView', 'afterFix'].map((name) => `quantscope.${name}`);
/** What the sample is made to show. */
const BAD_LAYER = '/stage2/0/depthwise/Conv';

const skip = missing();

describe('quantscope lsp', { skip }, () => {
  const folder = temporaryFolder();
  const recipe = path.join(folder, 'shapes.quant.yaml');
  const clients: LanguageClient[] = [];
  let text = '';

  const start = async (options: ClientOptions = {}): Promise<LanguageClient> => {
    const client = new LanguageClient(process.execPath, [CLI, 'lsp'], options);
    clients.push(client);
    await client.initialize();
    return client;
  };
  const announced = { initializationOptions: { commands: COMMANDS } };

  before(async () => {
    cpSync(SAMPLES, folder, { recursive: true, filter: (source) => !source.endsWith('.quant') });
    const { code, stderr } = await runCli(['run', recipe]);
    assert.equal(code, 0, stderr);
    text = readFileSync(recipe, 'utf8');
  });

  after(() => {
    for (const { child } of clients) child.kill();
  });

  test('after a run: its findings worst first, each with code and page; then a fix, which settles it', async () => {
    const client = await start(announced);
    const document = await client.open(recipe, text);
    const found = await client.diagnostics(document);
    assert.deepEqual(
      found.map(({ code }) => code),
      ['layer-low-sqnr', 'layer-fallback', 'layer-fallback'],
    );
    const [worst] = found;
    assert.ok(worst !== undefined);
    assert.match(messageOf(worst), /^"\/stage2\/0\/depthwise\/Conv" \(Conv \+ Clip\) has 1\d\.\d dB SQNR of its own/);
    assert.equal(document.getText(worst.range), 'shapes.onnx');
    for (const { code, codeDescription } of found) {
      const [page, anchor] = (codeDescription?.href ?? '').split('#');
      assert.equal(anchor, code);
      assert.ok(readFileSync(fileURLToPath(page ?? ''), 'utf8').includes(`\n## ${String(code)}\n`));
    }

    const actions = await client.actions(document, worst);
    const preferred = actions.filter(({ isPreferred }) => isPreferred === true);
    const titles = preferred.map(({ title }) => title);
    assert.equal(titles.length, 1, titles.join());
    const { diagnostics, command } = preferred[0] ?? {};
    assert.deepEqual(diagnostics, [worst]);
    assert.equal(command?.command, 'quantscope.afterFix');
    assert.equal(command.arguments?.[0], document.uri);
    const exclude = actions.find(({ title }) => title.includes(BAD_LAYER) && title.includes('float'));
    const fixed = applied(document, exclude);
    assert.match(fixed, new RegExp(`\\n {2}- select: ${BAD_LAYER}\\n {4}quantize: false\\n`));
    assert.ok(fixed.startsWith(text.slice(0, text.indexOf('calibration:'))), 'the rest is as it was');

    const edited = await client.open(recipe, fixed);
    const left = await client.diagnostics(edited);
    assert.deepEqual(
      left.map(({ code }) => code),
      ['layer-fallback', 'layer-fallback'],
    );
    assert.match(messageOf(left[0]), /before the recipe was changed/);
    assert.equal(await client.shutDown(), 0);
  });

  test('limits the findings, by the setting, and says how many are left', async () => {
    const client = await start({ settings: { threshold: 99, maxFindings: 2 } });
    const found = await client.diagnostics(await client.open(recipe, text));
    assert.deepEqual(
      found.map(({ code }) => code),
      ['layer-low-sqnr', 'layer-low-sqnr', 'more-findings'],
    );
    assert.match(messageOf(found[2]), /^And 15 more layers/);
    await client.shutDown();
  });

  test('code lenses with the last result, only for clients that have the commands', async () => {
    const lensesOf = async (client: LanguageClient): Promise<CodeLens[]> => {
      const { uri } = await client.open(recipe, text);
      return (await client.request('textDocument/codeLens', { textDocument: { uri } })) as CodeLens[];
    };
    const lenses = await lensesOf(await start(announced));
    assert.deepEqual(
      lenses.map(({ command }) => command?.command.replace('quantscope.', '')),
      ['quantize', 'benchmarkPair', 'openLayerView', 'openLayerView'],
    );
    assert.match(lenses[3]?.command?.title ?? '', /^Last run: 96\.7 → 9\d\.\d %, 2\.[23]\d× smaller$/);
    const plain = await start();
    assert.deepEqual(await lensesOf(plain), []);
    const document = await plain.open(recipe, text);
    const [worst] = await plain.diagnostics(document);
    assert.ok(worst !== undefined);
    for (const { command } of await plain.actions(document, worst)) assert.equal(command, undefined);
  });

  test('selectors: closest name, match counts, figures of the layer', async () => {
    const client = await start();
    const document = await client.open(
      recipe,
      `${text}\nlayers:\n  - select: op:Conf\n    quantize: false\n  - { select: "op:Conv", observer: mse }\n  - select: ${BAD_LAYER}\n    quantize: false\n`,
    );
    const { uri } = document;
    const unmatched = (await client.diagnostics(document)).find(({ code }) => code === 'selector-unmatched');
    assert.ok(unmatched !== undefined);
    assert.match(messageOf(unmatched), /Did you mean "op:Conv"\?/);
    const [action] = await client.actions(document, unmatched);
    assert.match(applied(document, action), /- select: op:Conv\n/);

    const range = { start: { line: 0, character: 0 }, end: { line: 99, character: 0 } };
    const hints = (await client.request('textDocument/inlayHint', { textDocument: { uri }, range })) as InlayHint[];
    assert.deepEqual(
      hints.map(({ label }) => label),
      ['no layer', '12 layers', '1 layer'],
    );
    const hover = (await client.at(
      'textDocument/hover',
      document,
      document.getText().lastIndexOf(BAD_LAYER) + 3,
    )) as Hover;
    assert.match(JSON.stringify(hover.contents), /\| `\/stage2\/0\/depthwise\/Conv` \| ■ int8 \| 15\.\d dB \|/);
    const symbols = (await client.request('textDocument/documentSymbol', {
      textDocument: { uri },
    })) as DocumentSymbol[];
    const layers = symbols.find(({ name }) => name === 'layers');
    assert.deepEqual(
      layers?.children?.map(({ name }) => name),
      ['op:Conf', 'op:Conv', BAD_LAYER],
    );
  });

  test('completion: keys, values, backends with their rules, layers, paths', async () => {
    const client = await start();
    const labels = async (tail: string): Promise<readonly string[]> => {
      const whole = `model: shapes.onnx\n${tail}`;
      const document = await client.open(recipe, whole);
      const list = (await client.at('textDocument/completion', document, whole.length)) as CompletionList;
      return list.items.map(({ label }) => label);
    };
    assert.ok((await labels('')).includes('calibration'));
    assert.ok(!(await labels('')).includes('model'), 'a key that is there already');
    assert.deepEqual(await labels('calibration:\n  data: x\n  sa'), [
      'samples',
      'observer',
      'percentile',
      'seed',
      'settled',
      'biasCorrection',
    ]);
    assert.deepEqual((await labels('backend: o')).slice(0, 2), ['ort-cpu', 'fbgemm']);
    assert.deepEqual(await labels('layers:\n  - select: a\n    quantize: '), ['true', 'false']);
    const selectors = await labels('layers:\n  - select: ');
    for (const expected of [BAD_LAYER, 'op:Conv', 'scope:stage2']) assert.ok(selectors.includes(expected), expected);
    assert.ok((await labels('validate: { data: images/')).includes('images/validation'));
    assert.ok((await labels('validate: { data: a, labels: images/')).includes('images/labels.tsv'));
    assert.deepEqual(await labels('# mo'), [], 'nothing inside a comment');
  });

  test('without a report the layers come from the model; with another model the report counts no more', async () => {
    const other = path.join(folder, 'other');
    mkdirSync(other);
    const model = path.join(other, 'shapes.onnx');
    cpSync(path.join(folder, 'shapes.onnx'), model);
    const file = path.join(other, 'shapes.quant.yaml');
    const own = `model: shapes.onnx\nmode: dynamic\nlayers:\n  - select: ${BAD_LAYER}\n    quantize: false\n`;
    const client = await start();
    assert.deepEqual(await client.diagnostics(await client.open(file, own)), []);
    const wrong = await client.diagnostics(await client.open(file, own.replace('depthwise', 'depthwize')));
    assert.deepEqual(
      wrong.map(({ code }) => code),
      ['selector-unmatched'],
    );

    cpSync(path.join(folder, 'shapes.quant'), path.join(other, 'shapes.quant'), { recursive: true });
    const later = new Date(Date.now() + 60_000);
    // The same bytes at another time are the same model; others are not.
    utimesSync(model, later, later);
    const plain = 'model: shapes.onnx\nmode: dynamic\n';
    await pause();
    assert.equal((await client.diagnostics(await client.open(file, plain))).length, 3);
    const bytes = readFileSync(model);
    bytes[bytes.length - 1]! ^= 1;
    writeFileSync(model, bytes);
    utimesSync(model, later, new Date(later.getTime() + 1_000));
    await pause();
    assert.deepEqual(await client.diagnostics(await client.open(file, `${plain}# again\n`)), []);
    rmSync(model);
    await pause();
    const gone = await client.diagnostics(await client.open(file, plain));
    assert.deepEqual(
      gone.map(({ code }) => code),
      ['model-missing'],
    );
  });

  test('clients that do not pull are told', async () => {
    const client = await start({
      pushes: true,
      initializationOptions: { settings: { threshold: 99, maxFindings: 1 } },
    });
    const { uri } = await client.open(recipe, text);
    const published = await eventually(() => client.published.find((params) => params.uri === uri));
    assert.deepEqual(
      published.diagnostics.map(({ code }) => code),
      ['layer-low-sqnr', 'more-findings'],
    );
    await client.connection.sendNotification('textDocument/didClose', { textDocument: { uri } });
    await eventually(() => client.published.find(({ diagnostics }) => diagnostics.length === 0));
  });

  test('whatever is opened, the server lives: broken, huge, odd, remote', async () => {
    const client = await start();
    const odd = [
      '',
      '[',
      'model: [',
      '- a',
      'model: &x [*x]',
      '\0\0',
      '"',
      'layers:\n- select: "**/**/**/{a,b"\n',
      'model: ../../../etc/passwd\n',
    ];
    for (const broken of odd) {
      const document = await client.open(recipe, broken);
      for (const { code } of await client.diagnostics(document)) assert.ok(String(code) in CODES, String(code));
      await client.at('textDocument/completion', document, broken.length);
      await client.at('textDocument/hover', document, 0);
    }
    const huge = await client.open(
      recipe,
      `model: shapes.onnx\nlayers:\n${'  - select: a\n    quantize: false\n'.repeat(40_000)}`,
    );
    const from = performance.now();
    assert.deepEqual(
      (await client.diagnostics(huge)).map(({ code }) => code),
      ['recipe-too-large'],
    );
    assert.ok(performance.now() - from < 1_000);
    const textDocument = {
      uri: 'vscode-vfs://github/a/b/net.quant.yaml',
      languageId: 'yaml',
      version: 1,
      text: 'modell: x',
    };
    await client.connection.sendNotification('textDocument/didOpen', { textDocument });
    const report = (await client.request('textDocument/diagnostic', { textDocument })) as { items: { code: string }[] };
    assert.deepEqual(
      report.items.map(({ code }) => code),
      ['missing-key', 'unknown-key'],
    );
    await assert.rejects(client.request('quantscope/unknown', {}));
    assert.equal(await client.shutDown(), 0);
  });

  test('answers that nobody waits for any more are not made', async () => {
    const client = await start();
    const { uri } = await client.open(recipe, text);
    const source = new CancellationTokenSource();
    const params = { textDocument: { uri }, position: { line: 1, character: 8 } };
    const asked = Array.from({ length: 20 }, () =>
      client.connection.sendRequest('textDocument/hover', params, source.token),
    );
    source.cancel();
    const answers = await Promise.allSettled(asked);
    assert.ok(answers.some(({ status }) => status === 'rejected'));
    assert.ok(
      (await client.at('textDocument/hover', await client.open(recipe, text), text.indexOf('shapes.onnx\n'))) !== null,
    );
  });

  test('ends with its editor', async () => {
    const client = await start();
    client.child.stdin?.end();
    const code = await client.exited;
    assert.notEqual(code, null);
    const killed = await start();
    killed.child.kill('SIGTERM');
    await killed.exited;
    assert.ok(existsSync(recipe));
  });
});

/** Files are looked at again after this. */
async function pause(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 500));
}

async function eventually<T>(look: () => T | undefined): Promise<T> {
  for (const end = Date.now() + 10_000; Date.now() < end; await new Promise((resolve) => setTimeout(resolve, 20))) {
    const found = look();
    if (found !== undefined) return found;
  }
  throw new Error('It did not happen in ten seconds.');
}
