/** Where a window of VS Code is typed into: the command palette, quick picks, input boxes and the file dialog. */

import { errors, type Locator, type Page } from 'playwright-core';
import { eventually } from './eventually';
import { matcher, plain } from './text';

/** Long enough for what was asked for to be drawn, short enough to ask again. */
const GLANCE_MS = 2_000;
/** As long as one box needs to take the place of another. */
const SETTLE_MS = 250;
/** How often in a row, 100 ms apart, a typed text must still be there to be believed. */
const KEPT_TIMES = 10;

const gone = (locator: Locator): Promise<boolean> =>
  locator.waitFor({ state: 'hidden', timeout: GLANCE_MS }).then(
    () => true,
    () => false,
  );

export class QuickInput {
  /** For what no method here does. */
  readonly page: Page;

  constructor(page: Page) {
    this.page = page;
  }

  /** The quick pick or input box that is open. */
  get quickInput(): Locator {
    return this.page.locator('.quick-input-widget:visible');
  }

  get #input(): Locator {
    return this.quickInput.locator('input[type="text"]').first();
  }

  /**
   * Opens the command palette, types into it and does what is to be done there, from the start again where that fails:
   * a key is lost while a window is loading, and an editor or webview that comes late takes the focus and with it the
   * palette, at any moment.
   */
  async #inPalette<T>(typed: string, act: () => Promise<T>): Promise<T> {
    const attempt = async (): Promise<{ done: T } | { failed: string }> => {
      try {
        await this.page.keyboard.press('F1');
        await this.#input.fill(`>${typed}`, { timeout: GLANCE_MS });
        return { done: await act() };
      } catch (error) {
        if (!(error instanceof errors.TimeoutError)) throw error;
        return { failed: error.message };
      }
    };
    const answer = await eventually(attempt, (each) => 'done' in each);
    if ('failed' in answer) throw new Error(answer.failed);
    return answer.done;
  }

  /** Runs a command by its full title in the command palette, such as `Quantscope: Inspect Layers`. */
  async runCommand(title: string): Promise<void> {
    // Not waited for what the click starts: a reload that takes its time would look like a click that failed.
    await this.#inPalette(title, () => this.#quickRow(title).first().click({ timeout: GLANCE_MS, noWaitAfter: true }));
    // What the command asks takes the palette's place; its rows must not be taken for those of the palette.
    await eventually(
      () => this.#input.inputValue({ timeout: SETTLE_MS }).catch(() => ''),
      (value) => value !== `>${title}`,
    );
  }

  /** Runs a command that asks for a text, and answers. */
  async ask(title: string, text: string): Promise<void> {
    const input = this.#input;
    await eventually(
      async () => {
        await this.runCommand(title);
        // A view that opens late takes the focus, and with it the box; the palette's own box goes as this one comes.
        await input.fill(text, { timeout: GLANCE_MS }).catch(() => undefined);
        await this.page.waitForTimeout(SETTLE_MS);
        return input.inputValue({ timeout: GLANCE_MS }).catch(() => '');
      },
      (found) => found === text,
    );
    await this.accept();
  }

  /** Titles that the command palette offers for what is typed. */
  async paletteTitles(typed: string): Promise<string[]> {
    const titles = await this.#inPalette(typed, () => this.picks(GLANCE_MS));
    await this.page.keyboard.press('Escape');
    return titles;
  }

  #quickRow(label: string | RegExp): Locator {
    const name = this.page.locator('.quick-input-list-rows > .quick-input-list-row:first-child .label-name', {
      hasText: matcher(label),
    });
    return this.quickInput.locator('.quick-input-list .monaco-list-row').filter({ has: name });
  }

  /** Chooses a row of the open quick pick by its label. In one with check boxes this ticks the row: see `accept`. */
  async pick(label: string | RegExp): Promise<void> {
    await this.#quickRow(label).first().click();
  }

  /** Labels of the open quick pick that are drawn; waits for the first. */
  async picks(timeout?: number): Promise<string[]> {
    const names = this.quickInput.locator('.quick-input-list-rows > .quick-input-list-row:first-child .label-name');
    await names.first().waitFor(timeout === undefined ? {} : { timeout });
    return (await names.allInnerTexts()).map(plain);
  }

  /** Types into the open input box or quick pick and presses Enter. */
  async answer(text: string): Promise<void> {
    await this.#input.fill(text);
    await this.accept();
  }

  /** Presses Enter in the open quick input. */
  async accept(): Promise<void> {
    await this.#input.press('Enter');
  }

  /** Names the file in the open save dialog, and waits until the dialog has taken it. */
  async saveAs(file: string): Promise<void> {
    const input = this.#input;
    // The dialog writes what it proposes over what was typed, for as long as it reads the folder.
    let kept = 0;
    await eventually(
      async () => {
        kept = (await input.inputValue()) === file ? kept + 1 : 0;
        if (kept === 0) await input.fill(file);
        return kept;
      },
      (times) => times >= KEPT_TIMES,
    );
    await eventually(
      async () => {
        // It ignores Enter while it reads the folder of what was typed.
        if (await input.isVisible()) await input.press('Enter', { timeout: GLANCE_MS }).catch(() => undefined);
        return gone(input);
      },
      (closed) => closed,
    );
  }
}
