/** The server for agents as an agent starts it: `quantscope mcp`, spoken to by the SDK's own client. */

import assert from 'node:assert/strict';
import { cpSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import * as path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { parseReport } from '../../src/shared/reportText';
import type { Report } from '../../src/shared/report';
import { CLI, missing, runCli, SAMPLES, temporaryFolder } from './support';

const BAD_LAYER = '/stage2/0/depthwise/Conv';
/** Characters: what an agent reads without a second thought. */
const SMALL = 6000;

const RECIPE = `model: shapes.onnx
preprocess: tf
calibration: { data: images/calibration, samples: 20 }
validate: { data: images/validation, labels: images/labels.tsv }
`;

type Document = Readonly<Record<string, unknown>>;

interface LayersPage {
  readonly total: number;
  readonly layers: readonly { readonly name: string; readonly localSqnr: number | 'exact' | null }[];
  readonly nextOffset?: number;
}

const pricesOf = ({ fixes }: Document): (string | null)[] =>
  (fixes as readonly { readonly price: string | null }[]).map(({ price }) => price);

describe('quantscope mcp', { skip: missing() }, () => {
  const folder = temporaryFolder();
  const recipe = path.join(folder, 'shapes.quant.yaml');
  const client = new Client({ name: 'test', version: '1.0.0' });
  const transport = new StdioClientTransport({ command: process.execPath, args: [CLI, 'mcp'], cwd: folder });
  let report: Report;

  const call = async (name: string, args: Document, signal?: AbortSignal): Promise<Document & { isError: boolean }> => {
    const options = { timeout: 300_000, ...(signal === undefined ? {} : { signal }) };
    const { content, isError } = await client.callTool({ name, arguments: args }, undefined, options);
    const [first] = content as readonly { readonly text: string }[];
    assert.ok(first !== undefined && first.text.length <= SMALL, `${name} answers ${first?.text.length} characters`);
    return { ...(JSON.parse(first.text) as Document), isError: isError === true };
  };

  before(async () => {
    cpSync(SAMPLES, folder, { recursive: true, filter: (source) => !source.endsWith('.quant') });
    writeFileSync(recipe, RECIPE);
    await client.connect(transport);
    const early = await call('list_layers', { report: recipe });
    assert.deepEqual([early.isError, early['code']], [true, 'file-not-found']);
    const ran = await call('run', { recipe });
    assert.equal(ran.isError, false, JSON.stringify(ran));
    report = parseReport(readFileSync(ran['report'] as string, 'utf8'), 'report.json');
    assert.deepEqual(ran['counts'], report.counts);
  });

  after(() => client.close());

  test('offers six tools, and says which of them write', async () => {
    const { tools } = await client.listTools();
    const writing = tools.filter(({ annotations }) => annotations?.readOnlyHint !== true).map(({ name }) => name);
    assert.deepEqual([tools.length, writing.toSorted()], [6, ['run', 'tune']]);
  });

  test('pages through every layer once, the worst first', async () => {
    const rows: LayersPage['layers'][number][] = [];
    let offset: number | undefined = 0;
    while (offset !== undefined) {
      // Relative to the folder that the agent works in.
      const answer = await call('list_layers', { report: 'shapes.quant', offset, limit: 7 });
      const page = answer as unknown as LayersPage;
      assert.ok(page.total === report.layers.length && page.layers.length > 0 && page.layers.length <= 7);
      rows.push(...page.layers);
      offset = page.nextOffset;
    }
    assert.equal(rows[0]?.name, BAD_LAYER);
    const names = report.layers.map(({ name }) => name);
    assert.deepEqual(rows.map(({ name }) => name).toSorted(), names.toSorted());
    const measured = rows.flatMap(({ localSqnr }) => (typeof localSqnr === 'number' ? [localSqnr] : []));
    assert.deepEqual(
      measured,
      measured.toSorted((a, b) => a - b),
    );
  });

  test('explains a layer, with its verdict once the culprits are found', async () => {
    const before = await call('explain_layer', { report: recipe, layer: BAD_LAYER });
    assert.ok(!('verdict' in before) && (before['fixes'] as unknown[]).length > 0);
    assert.equal((await runCli(['culprits', recipe, '--samples', '4'])).code, 0);
    const { verdict } = await call('explain_layer', { report: recipe, layer: BAD_LAYER });
    assert.equal(verdict, 'culprit');
    assert.ok(pricesOf(before).every((price) => price === null));
    assert.equal((await runCli(['fixes', recipe, '--samples', '8', '--most', '2'])).code, 0);
    const told = pricesOf(await call('explain_layer', { report: recipe, layer: BAD_LAYER }));
    assert.match(told[0] ?? '', /^output [+−][\d.]+ dB/);
    const unknown = await call('explain_layer', { report: recipe, layer: 'nothing' });
    assert.deepEqual([unknown.isError, unknown['code']], [true, 'selector-unmatched']);
  });

  test('tries fixes without writing', async () => {
    const model = report.quantized?.path ?? '';
    const before = [readFileSync(recipe), readFileSync(model)];
    const { fixes } = await call('try_fixes', { report: recipe, layer: BAD_LAYER, most: 2, samples: 10 });
    const priced = fixes as readonly { readonly layer: string; readonly price: string }[];
    assert.ok(priced.length > 0 && priced.every(({ layer, price }) => layer === BAD_LAYER && price.includes(' dB')));
    assert.deepEqual([readFileSync(recipe), readFileSync(model)], before);
  });

  test('times models; a cancelled job ends, and the next one is answered', async () => {
    const models = ['shapes.onnx', report.quantized?.path ?? ''];
    await assert.rejects(call('benchmark', { models, runs: 10_000_000 }, AbortSignal.timeout(1000)));
    const answer = await call('benchmark', { models, runs: 5 });
    const rows = answer['models'] as readonly { readonly median: number; readonly timesFaster: number }[];
    assert.deepEqual([rows.length, rows[0]?.timesFaster], [2, 1]);
    assert.ok(rows.every(({ median }) => median > 0));
  });

  test('tunes, and writes the recipe only when told to', async () => {
    const goal = { recipe, minSqnr: 25, samples: 10 };
    const { best } = await call('tune', goal);
    assert.ok((best as { readonly changes: readonly unknown[] }).changes.length > 0);
    assert.equal(readFileSync(recipe, 'utf8'), RECIPE);
    const { recipe: text } = await call('tune', { ...goal, write: true });
    assert.notEqual(text, RECIPE);
    assert.equal(readFileSync(recipe, 'utf8'), text);
  });

  test('code that a recipe names does not run, and the refusal names no option that is not there', async () => {
    writeFileSync(path.join(folder, 'data.js'), 'require("node:fs").writeFileSync("ran", "");');
    const file = path.join(folder, 'code.quant.yaml');
    writeFileSync(file, RECIPE.replace('images/calibration', 'data.js'));
    for (const [tool, more] of [
      ['run', {}],
      ['tune', { minSqnr: 20 }],
    ] as const) {
      const { isError, code, hint } = await call(tool, { recipe: file, ...more });
      assert.deepEqual([isError, code], [true, 'data-untrusted']);
      assert.match(String(hint), /A person who trusts it can run the recipe/);
      assert.doesNotMatch(String(hint), /--/);
    }
    assert.ok(!existsSync(path.join(folder, 'ran')));
  });

  test('arguments that are none are refused', async () => {
    const { isError } = await client.callTool({ name: 'list_layers', arguments: { report: recipe, limit: 1000 } });
    assert.equal(isError, true);
  });
});

test('ends by itself when the agent closes its input', { skip: missing() }, async () => {
  // Standard input is empty here, and at its end.
  const { code, stdout, stderr } = await runCli(['mcp']);
  assert.deepEqual([code, stdout, stderr], [0, '', '']);
});
