/** What axe-core finds in a frame. */

import { readFileSync } from 'node:fs';
import type { AxeResults } from 'axe-core';
import type { FrameLocator } from 'playwright-core';

declare const axe: { run(): Promise<AxeResults> };

const source = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');

/** Violations that keep somebody out, one line each: what is wrong and where. */
export async function severeViolations(frame: FrameLocator): Promise<string[]> {
  const element = await frame.locator('body').elementHandle();
  const content = await element.ownerFrame();
  if (content === null) throw new Error('There is no such frame.');
  // By the debugger's way, which the page's own policy does not bind.
  await content.evaluate(source);
  const { violations } = await content.evaluate(() => axe.run());
  return violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .map(({ id, help, nodes }) => `${id}: ${help}: ${nodes.map(({ html }) => html.slice(0, 200)).join(' | ')}`);
}
