/**
 * Reporter of Node's test runner for `run.mjs`: one JSON line per result or output of a test file.
 * Suites that only pass on their tests' results are left out, and so is a test that failed only because a test
 * inside it did: each failure counts once.
 */

import { relative, resolve, sep } from 'node:path';
import { inspect } from 'node:util';

const PRINTED = new Set(['test:stdout', 'test:stderr']);

const isSet = (mark) => mark !== undefined && mark !== false;

function describeError(error) {
  const cause = error?.cause ?? error;
  return typeof cause === 'string' ? cause : inspect(cause, { depth: 6 });
}

/** `pass`, `fail`, `skip`, or undefined for what repeats the result of other tests. */
function outcome(type, { details, skip, todo, name, file }) {
  if (isSet(skip) || isSet(todo)) return 'skip';
  // The runner reports a whole file as one test if it crashed, and also if no test of it reported anything.
  if (type === 'test:pass' && file !== undefined && resolve(name) === resolve(file)) return 'fail';
  if (type === 'test:fail') return details.error?.failureType === 'subtestsFailed' ? undefined : 'fail';
  return details.type === 'suite' ? undefined : 'pass';
}

function reasonOf(type, { details, skip, todo }) {
  if (isSet(skip)) return typeof skip === 'string' ? skip : 'no reason given';
  if (isSet(todo)) return typeof todo === 'string' ? `to do: ${todo}` : 'to do';
  if (type === 'test:pass') return 'No test of this file reported a result.';
  return describeError(details.error);
}

export default async function* report(source) {
  const scope = [];
  for await (const { type, data } of source) {
    const file = data?.file === undefined ? '' : relative(process.cwd(), data.file).split(sep).join('/');
    if (type === 'test:start') {
      scope.length = data.nesting;
      scope.push(data.name);
    }
    // What goes wrong after a test has ended is told in a diagnostic alone; the rest of them are statistics.
    const isOutput = type === 'test:diagnostic' ? /^(Error|Warning):/.test(data.message) : PRINTED.has(type);
    if (isOutput) {
      yield `${JSON.stringify({ outcome: 'output', file, text: `${data.message.trimEnd()}\n` })}\n`;
    }
    if (type !== 'test:pass' && type !== 'test:fail') continue;
    const result = outcome(type, data);
    if (result === undefined) continue;
    const name = [...scope.slice(0, data.nesting), data.name].join(' > ');
    const reason = result === 'pass' ? undefined : reasonOf(type, data);
    yield `${JSON.stringify({ outcome: result, file, name, reason })}\n`;
  }
}
