/** Context menus, opened and followed so that what VS Code does at the same time cannot get in between. */

import type { Locator, Page } from 'playwright-core';

const ATTEMPTS = 5;
const OPENED_MS = 3_000;
const CLOSED_MS = 1_000;

async function repeated(act: () => Promise<void>, succeeded: () => Promise<void>): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    await act();
    try {
      await succeeded();
      return;
    } catch (error) {
      if (attempt === ATTEMPTS) throw error;
    }
  }
}

/** Right-clicks the target and follows the labels; one of a submenu, as the last, leaves that open. */
export async function followMenu(page: Page, target: Locator, labels: readonly RegExp[]): Promise<void> {
  const menus = page.locator('.monaco-menu');
  // A menu closes as soon as anything else takes the focus, as a notification or a refreshed tree may.
  await repeated(
    () => target.click({ button: 'right' }),
    () => menus.locator('.action-item').first().waitFor({ timeout: OPENED_MS }),
  );
  for (const [depth, label] of labels.entries()) {
    const item = menus.nth(depth).locator('.action-item', { hasText: label }).first();
    await item.waitFor();
    if ((await item.locator('[aria-haspopup="true"]').count()) > 0) {
      // A click would race with the timer that a hover starts, and open the submenu twice.
      await item.hover();
      await menus.nth(depth + 1).waitFor();
    } else {
      // A menu ignores a click that comes right after it was opened.
      await repeated(
        () => item.click(),
        () => menus.first().waitFor({ state: 'detached', timeout: CLOSED_MS }),
      );
    }
  }
}
