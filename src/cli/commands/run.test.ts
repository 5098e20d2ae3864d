import * as assert from 'node:assert/strict';
import * as path from 'node:path';
import { test } from 'node:test';
import { reportOf } from '../../../test/helpers/report';
import type { Prices } from '../../shared/price';
import type { JobName } from '../../shared/protocol';
import type { Recipe } from '../../shared/recipe';
import type { Output, Services } from '../command';
import { PLAIN } from '../style';
import { quantizeAndCheck } from './run';

const PRICES: Prices = {
  samples: 100,
  start: { sqnr: 18, agreement: null, top1: null, top1Fp32: null },
  fixes: [
    {
      fix: {
        ...{ kind: 'exclude-layer', title: 'Keep "a" in float', detail: '', preferred: true },
        change: { kind: 'override', override: { select: 'a', quantize: false } },
      },
      layer: 'a',
      price: {
        sqnr: { value: -2, low: -3, high: -1 },
        ...{ agreement: null, top1: null, latency: null, bytes: 0, macs: 0, samples: 100 },
      },
    },
  ],
  left: 3,
};

/** @returns the output, with the jobs that were asked for */
async function run(
  recipe: Recipe,
  prices: boolean,
): Promise<Output & { readonly jobs: readonly (readonly unknown[])[] }> {
  const jobs: (readonly unknown[])[] = [];
  const answers: Partial<Record<JobName, unknown>> = { quantize: reportOf(), prices: PRICES };
  const services = {
    cwd: '/w',
    run: (name: JobName, input: unknown) => {
      jobs.push([name, input]);
      return Promise.resolve(answers[name]);
    },
  } as unknown as Services;
  const input = { recipe, baseDir: '/w', outDir: '/w/net.quant' };
  return { ...(await quantizeAndCheck(input, { options: {}, prices }, services)), jobs };
}

const NET: Recipe = { model: 'net.onnx' };

test('fixes are tried only where that is asked for, and within a time', async () => {
  const names = async (prices: boolean): Promise<unknown[]> => (await run(NET, prices)).jobs.map(([name]) => name);
  assert.deepEqual(await names(false), ['quantize']);
  assert.deepEqual(await names(true), ['quantize', 'prices']);
  const [, [, input] = []] = (await run(NET, true)).jobs;
  const { report, baseDir, seconds } = input as Readonly<Record<string, unknown>>;
  assert.deepEqual([report, baseDir, typeof seconds], [path.join('/w/net.quant', 'report.json'), '/w', 'number']);
});

test('what they bring stands below the report, and what was left out for lack of time', async () => {
  const { text, json } = await run(NET, true);
  assert.match(text(PLAIN), /What fixes bring and cost\n.*\n▼ worse +Keep "a" in float +−2\.00 dB/);
  assert.match(text(PLAIN), /not tried +3 more, for lack of time/);
  assert.deepEqual((json as { readonly prices: unknown }).prices, PRICES);
  assert.ok(!('prices' in ((await run(NET, false)).json as object)));
});

test('those of a PyTorch model are refused before anything runs', async () => {
  await assert.rejects(run({ framework: 'torch', model: 'net.py:build' }, true), { code: 'usage', message: /PyTorch/ });
});
