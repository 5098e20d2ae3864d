import assert from 'node:assert/strict';
import { test } from 'node:test';
import { REPORT_VERSION } from './report';
import { parseReport } from './reportText';

test('what is no whole report is named, not met later as a fault of ours', () => {
  const report = (layers: unknown): string => JSON.stringify({ version: REPORT_VERSION, layers });
  assert.deepEqual(parseReport(report([{ status: 'float' }]), 'r').layers, [{ status: 'float' }]);
  for (const text of ['', '[]', '{}', report({}), report([{}]), report([null]), report([{ status: 'odd' }])]) {
    assert.throws(() => parseReport(text, 'r'), { code: 'report-invalid' });
  }
});
