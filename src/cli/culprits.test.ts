import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Culprits, ErrorSource, LayerVerdict } from '../shared/verdicts';
import { culpritsText } from './culprits';
import { PLAIN } from './style';

const shares = (changes: Partial<Record<ErrorSource, number>>): Record<ErrorSource, number> => ({
  ...{ 'weight-rounding': 0, 'weight-clipping': 0, 'activation-rounding': 0, 'activation-clipping': 0 },
  ...{ bias: 0, kernel: 0 },
  ...changes,
});

function verdict(layer: string, changes: Partial<LayerVerdict> = {}): LayerVerdict {
  return {
    ...{
      layer,
      verdict: 'harmless',
      why: '',
      only: 40,
      without: 20,
      share: 0.5,
      growth: null,
      split: null,
      causes: [],
    },
    ...changes,
  };
}

function culpritsOf(layers: readonly LayerVerdict[]): Culprits {
  const cost = { passes: 12.34, layers: layers.length, seconds: 2.5 };
  return { version: 1, report: 'now', samples: 16, sqnr: 19.5, cost, causes: [], layers };
}

describe('culprits for people', () => {
  test('the blamed first, with the kinds of error that matter, the cost in fp32 passes', () => {
    const split = { power: 0.1, shares: shares({ 'weight-rounding': 0.7, kernel: 0.32, bias: -0.02 }) };
    const text = culpritsText(
      culpritsOf([verdict('a'), verdict('evil\u001b[2J', { verdict: 'culprit', share: 90, only: 20, split })]),
      'net.quant',
      PLAIN,
    );
    assert.deepEqual(text.split('\n'), [
      'verdict     layer            share  only it int8  only it float  its own error',
      '● culprit   evil\\u001b[2J   90.0 %       20.0 dB        20.0 dB  weight rounding 70 %, kernel 32 %',
      '· harmless  a              0.500 %       40.0 dB        20.0 dB  –',
      '',
      'verdicts    ● 1 culprit   ◆ 0 amplifier   ◇ 0 victim   · 1 harmless',
      'output      19.5 dB at the worst of the outputs, 16 samples',
      'cost        12.3 × one fp32 pass for 2 layers, 2.50 s in all',
      'written to  net.quant/culprits.json',
    ]);
  });

  test('harmless layers are cut, culprits never', () => {
    const many = Array.from({ length: 20 }, (_, i) => verdict(`l${i}`, { verdict: i < 15 ? 'culprit' : 'harmless' }));
    const text = culpritsText(culpritsOf(many), 'out', PLAIN);
    assert.equal(text.match(/● culprit /g)?.length, 15);
    assert.match(text, /and 5 layers more/);
  });
});
