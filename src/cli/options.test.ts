import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  byteSize,
  choice,
  flag,
  list,
  parseOptions,
  preprocess,
  required,
  shapes,
  text,
  threads,
  wholeNumber,
} from './options';

const OPTIONS = {
  data: required(text('DIR', '')),
  observer: choice('O', ['min-max', 'entropy'], ''),
  samples: wholeNumber('N', 1, ''),
  exclude: list('SELECTOR', ''),
  preprocess: preprocess(),
  threads: threads(),
  'memory-cap': byteSize('SIZE', ''),
  shape: shapes(''),
  trust: flag(''),
} as const;

const parse = (...args: string[]): ReturnType<typeof parseOptions<typeof OPTIONS>> =>
  parseOptions(['--data', 'd', ...args], OPTIONS);

const refused = (args: readonly string[], message: RegExp, code = 'usage'): void => {
  assert.throws(() => parse(...args), { code, message });
};

describe('options', () => {
  test('values, positionals in between, and what comes after --', () => {
    const { values, positionals } = parse(
      'a',
      '--samples=7',
      'b',
      '--trust',
      '--exclude',
      'x',
      '--exclude=op:y',
      '--',
      '--c',
    );
    assert.deepEqual(positionals, ['a', 'b', '--c']);
    assert.deepEqual([values.data, values.samples, values.trust, values.exclude], ['d', 7, true, ['x', 'op:y']]);
    assert.deepEqual([values.observer, parse().values.trust, parse().values.exclude], [undefined, false, []]);
  });

  test('an unknown option suggests the right one', () => {
    refused(['--sampels', '3'], /--sampels.*Did you mean "--samples"/);
    refused(['-x'], /no option -x/);
    refused(['--__proto__', 'x'], /no option/);
  });

  test('missing and superfluous values', () => {
    refused(['--samples'], /--samples needs a value: --samples N/);
    refused(['--samples', '--trust'], /--samples needs a value/);
    refused(['--trust=yes'], /--trust takes no value/);
    assert.throws(() => parseOptions([], OPTIONS), { code: 'usage', message: /--data DIR is missing/ });
  });

  test('choices, numbers and sizes', () => {
    assert.equal(parse('--observer', 'entropy').values.observer, 'entropy');
    refused(['--observer', 'entropi'], /min-max, entropy.*Did you mean "entropy"/);
    refused(['--threads', '5000'], /--threads must be a whole number of at least 1 and at most \d+, not "5000"/);
    for (const bad of ['0', '1.5', '1e3', 'x', '']) refused(['--samples', bad], /whole number/);
    assert.deepEqual(
      ['512MB', '2GiB', '100', '1.5 kb'].map((size) => parse('--memory-cap', size).values['memory-cap']),
      [512e6, 2 ** 31, 100, 1500],
    );
    for (const bad of ['0', 'much', '5 TB']) refused(['--memory-cap', bad], /size such as/);
    assert.deepEqual(parse('--shape', 'x=1x3x2', '--shape', 'a=b=4').values.shape, { x: [1, 3, 2], 'a=b': [4] });
    refused(['--shape', 'x'], /NAME=1x3x224x224/);
  });

  test('preprocessing: a preset, JSON or YAML', () => {
    const of = (value: string): unknown => parse('--preprocess', value).values.preprocess;
    assert.equal(of('caffe'), 'caffe');
    const squeezenet = { resize: { mode: 'shorter-side', size: 256 }, crop: 224, color: 'bgr', mean: [104, 117, 123] };
    assert.deepEqual(of(JSON.stringify(squeezenet)), squeezenet);
    assert.deepEqual(of('{preset: tf, crop: 128}'), { preset: 'tf', crop: 128 });
    refused(['--preprocess', 'imagnet'], /Did you mean "imagenet"/, 'preprocess-unknown');
    refused(['--preprocess', '{resize: {mode: exakt, size: 3}}'], /`resize\.mode`.*Did you mean "exact"/);
    refused(['--preprocess', '{'], /neither a preset nor/);
  });
});
