import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { mergePrices } from '../../shared/findings';
import type { Price } from '../../shared/price';
import type { Report } from '../../shared/report';
import type { Culprits } from '../../shared/verdicts';
import { analyze, DEFAULT_SETTINGS, type Analysis, type ServerSettings } from '../analysis';
import { quickFixes } from '../codeActions';
import { CODES, type FindingCode } from '../codes';
import type { Facts, LayerNode } from '../facts';
import { hintsOf, lensesOf } from '../lenses';
import { LARGEST_TEXT, readRecipeText } from '../recipeText';
import { layer, measure, reportOf } from '../../../test/helpers/report';
import { findingsOf, type Finding } from './index';

const NODES: readonly LayerNode[] = [
  { name: 'a/conv', op: 'Conv', folds: false },
  { name: 'a/relu', op: 'Relu', folds: false, owner: 'a/conv' },
  { name: 'b/conv', op: 'Conv', folds: false },
  { name: 'b/bn', op: 'BatchNormalization', folds: true },
  { name: 'b/prelu', op: 'PRelu', folds: false },
  { name: 'head', op: 'MatMul', folds: false },
];

const MODEL = { file: '/net.onnx', state: 'ok', opset: 13, nodes: NODES } as const;
const FACTS: Facts = { model: MODEL, paths: new Map() };
const HEAD = 'model: net.onnx\ncalibration: { data: images }\n';

function analysisOf(
  text: string,
  facts: Facts = FACTS,
  settings: ServerSettings = DEFAULT_SETTINGS,
): ReturnType<typeof analyze> {
  return analyze(readRecipeText(text), facts, settings);
}

function find(text: string, facts?: Facts, settings?: ServerSettings): readonly Finding[] {
  return findingsOf(analysisOf(text, facts, settings));
}

function withReport(report: Report): Facts {
  return { ...FACTS, report };
}

interface Case {
  readonly code: FindingCode;
  readonly text: string;
  /** What is underlined. */
  readonly at: string;
  readonly message: RegExp;
  readonly facts?: Facts;
}

const layers = (...entries: readonly string[]): string =>
  `${HEAD}layers:\n${entries.map((entry) => `  - { ${entry} }\n`).join('')}`;

const TORCH_HEAD = 'model: net.py:build\nframework: torch\ncalibration: { data: images }\n';

const CASES: readonly Case[] = [
  {
    code: 'plan-impossible',
    text: `${TORCH_HEAD}backend: ort-cpu\n`,
    at: 'ort-cpu',
    message: /no backend of PyTorch, which has fbgemm/,
  },
  {
    code: 'backend-contradiction',
    text: `${TORCH_HEAD}backend: qnnpack\ntorch: { engine: fbgemm }\n`,
    at: 'fbgemm',
    message: /settings are those of qnnpack.*engine fbgemm.*overflow/,
  },
  { code: 'plan-impossible', text: `${TORCH_HEAD}mode: weight-only\n`, at: 'weight-only', message: /PyTorch has no/ },
  { code: 'plan-impossible', text: `${HEAD}mode: qat\n`, at: 'qat', message: /ONNX has no/ },
  { code: 'setting-unused', text: `${HEAD}torch: { epochs: 2 }\n`, at: 'torch', message: /framework: torch/ },
  { code: 'setting-unused', text: `${TORCH_HEAD}torch: { epochs: 2 }\n`, at: 'epochs', message: /only `mode: qat`/ },
  {
    code: 'setting-unused',
    text: `${TORCH_HEAD}backend: qnnpack\nmode: pt2e\ntorch: { engine: fbgemm }\n`,
    at: 'engine',
    message: /kernels of oneDNN/,
  },
  { code: 'setting-unused', text: `${TORCH_HEAD}format: qdq\n`, at: 'format', message: /ONNX models/ },
  {
    code: 'data-missing',
    text: `${TORCH_HEAD}torch: { weights: net.pth }\n`,
    at: 'net.pth',
    message: /no file "net\.pth"/,
    facts: { ...FACTS, paths: new Map([['net.pth', 'missing']]) },
  },
  { code: 'syntax', text: 'model: [', at: '', message: /\]/ },
  { code: 'unknown-key', text: `${HEAD}observr: 3\n`, at: 'observr', message: /no key of a recipe/ },
  { code: 'missing-key', text: 'backend: qnn\n', at: 'backend: qnn', message: /`model` is missing/ },
  { code: 'invalid-value', text: `${HEAD}backend: ort\n`, at: 'ort', message: /must be ort-cpu/ },
  { code: 'recipe-too-large', text: `# x\n${' '.repeat(LARGEST_TEXT)}`, at: '# x', message: /too large/ },
  {
    code: 'model-missing',
    text: HEAD,
    at: 'net.onnx',
    message: /no model "\/net\.onnx"/,
    facts: { ...FACTS, model: { file: '/net.onnx', state: 'missing' } },
  },
  {
    code: 'model-unreadable',
    text: HEAD,
    at: 'net.onnx',
    message: /odd/,
    facts: { ...FACTS, model: { file: '/net.onnx', state: 'unreadable', problem: 'odd' } },
  },
  {
    code: 'data-missing',
    text: HEAD,
    at: 'images',
    message: /no file or folder "images"/,
    facts: { ...FACTS, paths: new Map([['images', 'missing']]) },
  },
  {
    code: 'data-missing',
    text: `${HEAD}validate: { data: [v, w], labels: l }\n`,
    at: 'w',
    message: /holds no file/,
    facts: { ...FACTS, paths: new Map([['w', 'empty']]) },
  },
  { code: 'calibration-missing', text: 'model: net.onnx\n', at: 'model', message: /needs `calibration`/ },
  {
    code: 'calibration-missing',
    text: 'model: net.onnx\nmode: dynamic\nlayers: [{ select: a/conv, mode: static }]\n',
    at: 'dynamic',
    message: /needs `calibration`/,
  },
  { code: 'setting-unused', text: layers('select: b/prelu, mode: dynamic'), at: 'mode', message: /MatMul.*float/ },
  {
    code: 'setting-unused',
    text: layers('select: head, mode: dynamic, observer: mse'),
    at: 'observer',
    message: /dynamic/,
  },
  {
    code: 'setting-unused',
    text: `${TORCH_HEAD}layers: [{ select: fc, mode: dynamic }]\n`,
    at: 'mode',
    message: /ONNX models/,
  },
  { code: 'synthetic-data', text: HEAD.replace('images', 'synthetic'), at: 'synthetic', message: /random/ },
  {
    code: 'labels-missing',
    text: `${HEAD}gates: { max-accuracy-drop: 1 }\n`,
    at: 'max-accuracy-drop',
    message: /needs `validate`/,
  },
  { code: 'selector-unmatched', text: layers('select: op:Conf, quantize: false'), at: 'op:Conf', message: /"op:Conv"/ },
  { code: 'selector-folded', text: layers('select: b/bn, quantize: false'), at: 'b/bn', message: /folded/ },
  { code: 'selector-fused', text: layers('select: a/relu, observer: mse'), at: 'a/relu', message: /"a\/conv"/ },
  {
    code: 'override-shadowed',
    text: layers('select: op:PRelu, quantize: false', 'select: b/prelu, quantize: false'),
    at: 'op:PRelu',
    message: /"b\/prelu"/,
  },
  { code: 'override-empty', text: layers('select: head, because: x'), at: 'head', message: /sets nothing/ },
  { code: 'override-empty', text: layers('select: head, quantize: true'), at: 'head', message: /changes nothing/ },
  {
    code: 'setting-unused',
    text: layers('select: head, quantize: false, observer: mse'),
    at: 'head',
    message: /`observer` counts for nothing/,
  },
  { code: 'setting-unused', text: layers('select: b/prelu, weights: uint8'), at: 'weights', message: /no weights/ },
  { code: 'setting-unused', text: `${HEAD}backend: qnn\nisa: vnni\n`, at: 'isa', message: /ort-cpu/ },
  {
    code: 'setting-unused',
    text: 'model: net.onnx\ncalibration: { data: images, percentile: 99 }\n',
    at: 'percentile',
    message: /the observer is mse/,
  },
  {
    code: 'backend-contradiction',
    text: `${HEAD}backend: qnnpack\nweights: { granularity: per-channel }\n`,
    at: 'per-channel',
    message: /per tensor/,
  },
  {
    code: 'backend-contradiction',
    text: `${HEAD}backend: tensorrt\nactivations: { symmetric: false }\n`,
    at: 'false',
    message: /zero points of 0/,
  },
  {
    code: 'backend-contradiction',
    text: layers('select: head, activations: uint16'),
    at: 'uint16',
    message: /no kernels for activations of 16 bits/,
  },
  {
    code: 'backend-contradiction',
    text: `${layers('select: head, weights: { granularity: per-channel }')}backend: qnn\n`,
    at: 'per-channel',
    message: /per tensor/,
  },
  {
    code: 'plan-impossible',
    text: `${HEAD}backend: qnn\nformat: qoperator\nactivations: uint16\n`,
    at: 'qoperator',
    message: /qdq/,
  },
  {
    code: 'opset-too-old',
    text: `${HEAD}backend: qnn\nactivations: uint16\nnormalize: { opset: keep }\n`,
    at: 'keep',
    message: /needs opset 21; the model has 13/,
  },
  { code: 'opset-too-old', text: `${HEAD}normalize: { opset: 12 }\n`, at: '12', message: /needs opset 13/ },
  {
    code: 'layer-low-sqnr',
    text: HEAD,
    at: 'net.onnx',
    message: /^"b\/conv" \(Conv\) has 9\.5\d? dB SQNR of its own, 8(\.00?)? dB accumulated: below 20 dB/,
    facts: withReport(reportOf({ recipe: { model: 'net.onnx', calibration: { data: 'images' } } })),
  },
  { code: 'layer-fallback', text: HEAD, at: 'net.onnx', message: /no int8 kernel/, facts: withReport(reportOf()) },
  {
    code: 'more-findings',
    text: HEAD,
    at: 'net.onnx',
    message: /^And 30 more layers/,
    facts: withReport(
      reportOf({ layers: Array.from({ length: 50 }, (_, i) => layer(`l${i}`, { local: measure(i / 10) })) }),
    ),
  },
  {
    code: 'gate-failed',
    text: `${HEAD}gates: { min-output-sqnr: 20 }\n`,
    at: 'min-output-sqnr',
    message: /asks for 20 dB/,
    facts: withReport(reportOf()),
  },
];

describe('findings', () => {
  for (const { code, text, at, message, facts } of CASES) {
    test(`${code}: ${message.source}`, () => {
      const found = find(text, facts).filter((finding) => finding.code === code && message.test(finding.message));
      assert.equal(found.length, 1, JSON.stringify(find(text, facts)));
      const { start, end } = found[0]!.span;
      assert.equal(text.slice(start, end), at);
    });
  }

  test('every code is among them', () => {
    assert.deepEqual(new Set(CASES.map(({ code }) => code)), new Set(Object.keys(CODES)));
  });

  test('a sound recipe has none', () => {
    const text = `${layers('select: b/conv, quantize: false', 'select: op:Conv, observer: mse')}validate: { data: v, labels: l }\ngates: { max-accuracy-drop: 1 }\n`;
    assert.deepEqual(find(text), []);
  });

  test('nothing is said about layers that are not known', () => {
    assert.deepEqual(find(layers('select: nothing, quantize: false'), { paths: new Map() }), []);
  });
});

describe('findings of the last run', () => {
  const recipe = { model: 'net.onnx', calibration: { data: 'images' } };
  const facts = withReport(reportOf({ recipe }));
  const codes = (text: string): readonly FindingCode[] => find(text, facts).map(({ code }) => code);

  test('those that the recipe deals with are gone, the others are marked as old', () => {
    assert.deepEqual(codes(HEAD), ['layer-low-sqnr', 'layer-fallback']);
    const changed = layers('select: scope:b, quantize: false');
    assert.deepEqual(codes(changed), []);
    const [old] = find(layers('select: a/conv, quantize: false'), facts);
    assert.match(old?.message ?? '', /before the recipe was changed/);
    assert.equal(old?.severity, 3);
  });

  test('a comment, a reason or a gate makes none of them old', () => {
    for (const text of [`# x\n${HEAD}`, `${HEAD}gates: { min-output-sqnr: 1 }\n`]) {
      for (const { message } of find(text, facts)) assert.doesNotMatch(message, /before the recipe/);
    }
  });

  test('stand at the entry that is about the layer', () => {
    const text = layers('select: op:Conv, observer: entropy', 'select: b/conv, observer: mse');
    const own = withReport(
      reportOf({
        recipe: {
          ...recipe,
          layers: [
            { select: 'op:Conv', observer: 'entropy' },
            { select: 'b/conv', observer: 'mse' },
          ],
        },
      }),
    );
    const { span } = find(text, own).find(({ code }) => code === 'layer-low-sqnr')!;
    assert.equal(text.slice(span.start, span.end), 'b/conv');
  });

  test('fixes are offered where the finding is and at the heading, one of them preferred', () => {
    const text = layers('select: a/conv, observer: entropy');
    const own = { ...recipe, layers: [{ select: 'a/conv', observer: 'entropy' as const }] };
    const analysis = analysisOf(text, withReport(reportOf({ recipe: own })));
    for (const part of ['net.onnx', 'layers']) {
      const at = text.indexOf(part);
      const fixes = quickFixes(analysis, findingsOf(analysis), { start: at, end: at });
      assert.ok(
        fixes.some(({ title }) => title.includes('b/conv')),
        part,
      );
      assert.equal(fixes.filter(({ preferred }) => preferred).length, 1);
    }
    assert.deepEqual(
      quickFixes(analysis, findingsOf(analysis), { start: HEAD.indexOf('images'), end: HEAD.indexOf('images') }),
      [],
    );
  });

  test('what takes a cause away is offered first, as in the layer view', () => {
    const change = { kind: 'equalize', enabled: true } as const;
    const fix = { kind: 'equalize', title: 'Even out the channels', detail: '', change, preferred: true } as const;
    const cause = { kind: 'outlier-channel', sentence: 'Channel 3 is 40 times larger.', fix } as const;
    const error = { only: 9, without: 30, growth: null, split: null };
    const verdict = { layer: 'b/conv', verdict: 'culprit', why: '', share: 90, ...error, causes: [cause] } as const;
    const cost = { passes: 1, seconds: 1, layers: 1 };
    const own = reportOf({ recipe });
    const culprits: Culprits = {
      ...{ version: 1, report: own.created, samples: 16, sqnr: 9, causes: [], layers: [verdict] },
      cost,
    };
    const analysis = analysisOf(HEAD, { ...withReport(own), culprits });
    const at = HEAD.indexOf('net.onnx');
    const [first] = quickFixes(analysis, findingsOf(analysis), { start: at, end: at });
    assert.deepEqual([first?.title, first?.preferred], ['Even out the channels (not tried yet)', true]);

    // Once it is known to make things worse it goes last, and is no longer preferred.
    const price: Price = {
      ...{ sqnr: { value: -2, low: -3, high: -1 }, agreement: null, top1: null, latency: null },
      ...{ bytes: 0, macs: 0, samples: 9 },
    };
    const prices = mergePrices(own, undefined, {
      ...{ samples: 9, start: { sqnr: 1, agreement: null, top1: null, top1Fp32: null } },
      fixes: [{ fix, layer: 'b/conv', price }],
    });
    const titles = (about: Analysis): string[] =>
      quickFixes(about, findingsOf(about), { start: at, end: at })
        .filter(({ finding }) => finding?.layer === 'b/conv')
        .map(({ title }) => title);
    const priced = analysisOf(HEAD, { ...withReport(own), culprits, prices });
    assert.equal(titles(priced).at(-1), 'Even out the channels (makes it worse: output −2.00 dB)');
    assert.ok(titles(priced).length > 1);
    // Of a recipe that has changed nothing was measured.
    const changed = analysisOf(`${HEAD}activations: int8\n`, { ...withReport(own), culprits, prices });
    assert.equal(titles(changed)[0], 'Even out the channels (not tried yet)');
  });

  test('lenses and hints', () => {
    const analysis = analysisOf(layers('select: op:Conv, quantize: false', 'select: x, quantize: false'), facts);
    const commands = new Set(['quantscope.quantize', 'quantscope.openLayerView']);
    assert.deepEqual(
      lensesOf(analysis, commands).map(({ title }) => title.replace(/^\$\(.*?\) /, '')),
      ['Run', 'Open layer view', 'Last run: 70.0 → 68.5 %, 4.00× smaller (recipe changed since)'],
    );
    assert.deepEqual(
      hintsOf(analysis, { start: 0, end: 1000 }).map(({ label }) => label),
      ['2 layers', 'no layer'],
    );
  });
});

describe('layers of PyTorch, whose paths have dots', () => {
  const DOTTED: readonly LayerNode[] = ['stem.0', 'stage1.conv1.0', 'stage1.middle', 'stage1.add'].map((name) => {
    return { name, path: name.replaceAll('.', '/'), op: name.endsWith('0') ? 'Conv2d' : 'PReLU', folds: false };
  });
  const facts: Facts = { model: { file: '/net.py', state: 'ok', nodes: DOTTED }, paths: new Map() };
  const matched = (select: string): readonly string[] | undefined => {
    const text = `${TORCH_HEAD}layers:\n  - { select: '${select}', quantize: false }\n`;
    return analysisOf(text, facts).entries[0]?.matches?.map(({ name }) => name);
  };

  test('are selected by dots and by slashes, by scope, glob, operator and regular expression', () => {
    assert.deepEqual(matched('stage1.middle'), ['stage1.middle']);
    assert.deepEqual(matched('stage1/middle'), ['stage1.middle']);
    assert.deepEqual(matched('scope:stage1'), ['stage1.conv1.0', 'stage1.middle', 'stage1.add']);
    assert.deepEqual(matched('scope:stage1.conv1'), ['stage1.conv1.0']);
    assert.deepEqual(matched('stage1.*'), ['stage1.middle', 'stage1.add']);
    assert.deepEqual(matched('op:Conv2d'), ['stem.0', 'stage1.conv1.0']);
    assert.deepEqual(matched('regex:^st.*[03]$'), ['stem.0', 'stage1.conv1.0']);
    assert.deepEqual(matched('regex:('), []);
  });

  test('count as excluded under their own names', () => {
    const text = `${TORCH_HEAD}layers:\n  - { select: 'scope:stage1', quantize: false }\n`;
    assert.equal(analysisOf(text, facts).overrides.get('stage1.middle')?.quantize, false);
  });
});
