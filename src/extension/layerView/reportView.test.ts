import assert from 'node:assert/strict';
import { test } from 'node:test';
import { reportOf } from '../../../test/helpers/report';
import type { FoundOut } from '../findings/read';
import { reportFacts, reportId } from './reportView';
import type { Subject } from './subject';

const found: FoundOut = { culprits: undefined, prices: undefined, speed: undefined, stamp: '' };
const run: Subject = { report: reportOf(), base: undefined, found, planned: [], stamp: '' };
const earlier = reportOf({ created: '2025-12-31T00:00:00.000Z' });

test('whatever the figures of a report depend on has part in its id, by which they are kept', () => {
  const subjects: readonly Subject[] = [
    run,
    { ...run, base: { report: earlier, relation: 'previous' } },
    { ...run, base: { report: earlier, relation: 'chosen' } },
    { ...run, base: { report: reportOf(), relation: 'chosen' } },
    { ...run, found: { ...found, stamp: 'found' } },
    { ...run, planned: [{ fix: {} as never, layer: null }] },
    { ...run, stamp: 'stopped' },
    { ...run, report: earlier },
  ];
  assert.equal(new Set(subjects.map(reportId)).size, subjects.length);
  assert.deepEqual(
    subjects.map((subject) => reportFacts(subject).id),
    subjects.map(reportId),
  );
});
