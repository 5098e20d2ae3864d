import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { layer as layerOf, reportOf as wholeReport } from '../../test/helpers/report';
import { checkGates } from './gates';
import { decibelsOf, measuredText, outputWarnings, sqnrOf, type Measured } from './measured';
import { compareReports, difference } from './comparison';
import { worstOutput } from './outputs';
import { sortLayers } from './layerOrder';
import { REPORT_VERSIONS } from './report';
import { parseReport } from './reportText';

const reportOf = (rows: readonly { readonly name: string; readonly local?: Measured | null }[]) =>
  wholeReport({ layers: rows.map(({ name, ...rest }) => layerOf(name, rest)) });

const of = (sqnr: number | null, share?: number): Measured => ({
  ...{ sqnr, cosine: 1, worst: { sample: 'a', sqnr } },
  ...(share === undefined ? {} : { share }),
});
const SILENT: Measured = { incomparable: 'not-finite' };
const EMPTY: Measured = { incomparable: 'empty' };

describe('an error, no error, nothing to compare and not measured are four things', () => {
  const all = [of(12.3), of(null), SILENT, EMPTY, null] as const;

  test('in words and as values', () => {
    assert.deepEqual(all.map(measuredText), ['12.3 dB', 'exact', 'not comparable', 'not comparable', '–']);
    assert.deepEqual(all.map(decibelsOf), [12.3, 'exact', 'incomparable', 'incomparable', null]);
    assert.deepEqual(all.map(sqnrOf), [12.3, Infinity, undefined, undefined, undefined]);
  });

  test('the worst output is one that was compared, if any was', () => {
    const outputs = [
      { name: 'nan', error: SILENT },
      { name: 'exact', error: of(null) },
      { name: 'low', error: of(9) },
    ];
    assert.equal(worstOutput({ outputs })?.output, 'low');
    assert.equal(worstOutput({ outputs: outputs.slice(0, 2) })?.output, 'exact');
    assert.equal(worstOutput({ outputs: outputs.slice(0, 1) })?.output, 'nan');
    assert.deepEqual(
      outputWarnings([...outputs, { name: 'half', error: of(30, 0.5) }, { name: 'none', error: EMPTY }]),
      [
        'Nothing of the output "nan" could be compared: fp32 holds NaN or infinities alone there.',
        'The error of the output "half" is that of 50.0 % of its values, the others not being finite in fp32.',
        'Nothing of the output "none" could be compared: it holds no values for any sample.',
      ],
    );
  });

  test('sorted by error, what tells none comes last', () => {
    const layers = all.map((local, index) => ({ ...reportOf([{ name: `l${index}` }]).layers[0]!, local }));
    assert.deepEqual(
      sortLayers(layers, 'sqnr').map(({ local }) => measuredText(local)),
      ['12.3 dB', 'exact', 'not comparable', 'not comparable', '–'],
    );
  });
});

describe('gates over nothing fail', () => {
  const run = (outputs: readonly Measured[], locals: readonly (Measured | null)[]) => {
    const report = reportOf(locals.map((local, index) => ({ name: `l${index}`, local })));
    const gates = { 'min-output-sqnr': 10, 'max-layers-below': { sqnr: 10 } };
    return checkGates({
      ...{ ...report, recipe: { ...report.recipe, gates } },
      outputs: outputs.map((error, index) => ({ name: `y${index}`, error })),
    }).map(({ passed, measured }) => [passed, measured]);
  };

  test('also where only one of several outputs has nothing to compare', () => {
    for (const nothing of [SILENT, EMPTY]) {
      assert.deepEqual(run([nothing], [nothing, null]), [
        [false, null],
        [false, null],
      ]);
      assert.deepEqual(run([of(99), nothing], [of(99), nothing])[0], [false, null]);
    }
    assert.deepEqual(run([of(null)], [of(99)]), [
      [true, null],
      [true, 0],
    ]);
  });

  test('an output of the model that was not compared fails its gate by name', () => {
    const report = reportOf([]);
    const [gate] = checkGates({
      ...{ ...report, recipe: { ...report.recipe, gates: { 'min-output-sqnr': 10 } } },
      model: { ...report.model, outputs: [{ name: 'boxes', type: 'float32', shape: [] }] },
      outputs: [{ name: 'y', error: of(50) }],
      unmatched: [{ tensor: 'boxes', why: 'of another size' }],
    });
    assert.deepEqual([gate?.passed, gate?.message], [false, 'Output "boxes" was not compared: of another size.']);
  });
});

test('two runs, of which one has nothing to compare, differ without a figure', () => {
  const [a, b] = [of(20), SILENT].map((local) => reportOf([{ name: 'l', local }]));
  const [layer] = compareReports(a!, b!).layers;
  assert.deepEqual([layer?.change, layer?.local], ['error', { a: 20, b: 'incomparable' }]);
  assert.equal(difference(layer!.local), null);
  assert.equal(compareReports(b!, b!).layers[0]?.change, 'none');
});

test('reports of all versions open, and their ratio follows from their two times', () => {
  for (const version of REPORT_VERSIONS) {
    const latency = { threads: 1, runs: 9, fp32: 16.3, int8: 14.8, ratio: 0.702 };
    const read = parseReport(JSON.stringify({ ...reportOf([{ name: 'l', local: of(null) }]), version, latency }), 'r');
    assert.equal(measuredText(read.layers[0]?.local), 'exact');
    assert.equal(read.latency?.ratio, 16.3 / 14.8);
  }
  assert.throws(() => parseReport(JSON.stringify({ version: 3, layers: [] }), 'r'), { code: 'report-invalid' });
});
