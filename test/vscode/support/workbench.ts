/** Drives one window of VS Code by what a user sees: menus, palettes, trees, notifications, editors, webviews. */

import type { FrameLocator, Locator, Page } from 'playwright-core';
import { eventually } from './eventually';
import { followMenu } from './menus';
import { QuickInput } from './quickInput';
import type { OpenOptions } from './session';
import { exactly, matcher, plain } from './text';

/** Themes by kind: what the setting and the picker call them, and the class of a workbench that draws in this kind. */
export const THEMES = {
  dark: { name: 'Dark Modern', label: 'Dark Modern', kind: 'vs-dark' },
  light: { name: 'Light Modern', label: 'Light Modern', kind: 'vs' },
  'hc-dark': { name: 'Default High Contrast', label: 'Dark High Contrast', kind: 'hc-black' },
  'hc-light': { name: 'Default High Contrast Light', label: 'Light High Contrast', kind: 'hc-light' },
} as const;
export type Theme = keyof typeof THEMES;

export interface TreeRow {
  /** Label and description as drawn, without their icon. */
  readonly label: string;
  readonly description: string;
  /** What a screen reader says. */
  readonly aria: string;
  /** From 1. */
  readonly level: number;
  /** Undefined for a row without children. */
  readonly expanded: boolean | undefined;
  readonly selected: boolean;
}

export interface Notification {
  readonly severity: 'info' | 'warning' | 'error';
  readonly text: string;
  readonly buttons: readonly string[];
}

export interface StatusItem {
  readonly id: string;
  readonly text: string;
  readonly aria: string;
}

/** Longest wait for one thing to appear, on a slow machine that also runs an engine. */
const PATIENCE_MS = 30_000;
const STARTUP_MS = 90_000;

/** Offered in trusted windows alone, which a window learns only some time after it is drawn. */
const TRUSTED_COMMAND = 'Quantscope: Quantize…';

type Changed = Pick<OpenOptions, 'theme' | 'settings'>;

interface WindowOptions {
  readonly url: string;
  readonly trusted: boolean;
  /** Writes the user's settings, with these changed. */
  readonly configure: (changed: Changed) => void;
}

export class Workbench extends QuickInput {
  /** What the window has written to its console. */
  readonly console: string[] = [];
  readonly #url: string;
  readonly #trusted: boolean;
  readonly #configure: WindowOptions['configure'];
  #changed: Changed = {};

  constructor(page: Page, { url, trusted, configure }: WindowOptions) {
    super(page);
    this.#url = url;
    this.#trusted = trusted;
    this.#configure = configure;
    page.setDefaultTimeout(PATIENCE_MS);
    page.on('console', (message) => this.console.push(`${message.type()}: ${message.text()}`));
    page.on('pageerror', (error) => this.console.push(`page error: ${error.stack ?? error.message}`));
  }

  get closed(): boolean {
    return this.page.isClosed();
  }

  /** Loads the window and waits until the extension's contributions are there. */
  async load(): Promise<void> {
    await this.page.goto(this.#url, { waitUntil: 'commit' });
    await this.#ready();
  }

  async #ready(): Promise<void> {
    const { page } = this;
    await page.locator('.monaco-workbench .statusbar').waitFor({ timeout: STARTUP_MS });
    // Menus and palettes lack the extension's items until its icon is there.
    await page.locator('.activitybar .action-label[aria-label^="Quantscope"]').waitFor({ timeout: STARTUP_MS });
    if (!this.#trusted) return;
    await eventually(
      () => this.paletteTitles(TRUSTED_COMMAND),
      (titles) => titles.includes(TRUSTED_COMMAND),
    );
  }

  async reloadWindow(): Promise<void> {
    await this.page.reload({ waitUntil: 'commit' });
    await this.#ready();
  }

  /** As a user does, so that editors are kept; {@link reloadWindow} loses them. */
  async reloadByCommand(): Promise<void> {
    // Listened for from the start: on a busy machine the click returns only after the navigation.
    const reloaded = this.page.waitForEvent('framenavigated', (frame) => frame === this.page.mainFrame());
    await Promise.all([reloaded, this.runCommand('Developer: Reload Window')]);
    await this.#ready();
  }

  async close(): Promise<void> {
    if (this.closed) return;
    // Leaving the page ends the window's extension host; closing alone would keep it for a reconnection.
    await this.page.goto('about:blank').catch(() => undefined);
    await this.page.context().close();
  }

  async screenshot(file: string): Promise<void> {
    await this.page.screenshot({ path: file });
  }

  // --- Settings -----------------------------------------------------------------------------------------------------

  /** Chooses a theme as a user does, without a reload. */
  async setTheme(theme: Theme): Promise<void> {
    const { label, kind } = THEMES[theme];
    await this.runCommand('Preferences: Color Theme');
    await this.quickInput.locator('input[type="text"]').first().fill(label);
    await this.pick(label);
    await this.page.locator(`.monaco-workbench.${kind}`).waitFor();
    this.#changed = { ...this.#changed, theme };
  }

  /** Changes the user's settings and reloads the window: this VS Code does not notice a changed settings file. */
  async configure(settings: NonNullable<OpenOptions['settings']>): Promise<void> {
    this.#changed = { ...this.#changed, settings: { ...this.#changed.settings, ...settings } };
    this.#configure(this.#changed);
    await this.reloadWindow();
  }

  // --- Explorer and menus -------------------------------------------------------------------------------------------

  /** A row of the explorer by its path in the workspace, its folders opened first. */
  async explorerRow(file: string): Promise<Locator> {
    const rows = this.page.locator('.explorer-folders-view .monaco-list-row');
    if (!(await this.page.locator('.explorer-folders-view').isVisible())) {
      await this.page.locator('.activitybar .action-label[aria-label^="Explorer"]').click();
    }
    const parts = file.split('/');
    let row = rows;
    for (const [depth, part] of parts.entries()) {
      row = rows.and(this.page.locator(`[aria-level="${depth + 1}"]`)).filter({ hasText: exactly(part) });
      const isFolder = depth < parts.length - 1;
      if (isFolder && (await row.getAttribute('aria-expanded')) === 'false') await row.click();
    }
    await row.waitFor();
    return row;
  }

  /** Opens a file of the workspace by a double click in the explorer. */
  async openFile(file: string): Promise<void> {
    await (await this.explorerRow(file)).dblclick();
    await this.#isOpen(file);
  }

  /** Selects two files of the explorer; @returns the row of the second */
  async selectTwo(first: string, second: string): Promise<Locator> {
    await (await this.explorerRow(first)).click();
    // A click opens the file, and once it is open the explorer selects it, and it alone.
    await this.#isOpen(first);
    const row = await this.explorerRow(second);
    await row.click({ modifiers: ['Control'] });
    return row;
  }

  async #isOpen(file: string): Promise<void> {
    await this.page.locator(`.tab.active[aria-label^="${file.split('/').at(-1) ?? file}"]`).waitFor();
  }

  /** Right-clicks a file of the explorer and follows the menu, such as `['Quantscope', 'Quantize…']`. */
  async explorerContextMenu(file: string, labels: readonly string[]): Promise<void> {
    await this.contextMenu(await this.explorerRow(file), labels);
  }

  /** Right-clicks anything and follows the menu. */
  async contextMenu(target: Locator, labels: readonly string[]): Promise<void> {
    await followMenu(this.page, target, labels.map(exactly));
  }

  /** The items of the context menu of anything, below the submenus named by `labels`; the menu is closed again. */
  async contextMenuItems(target: Locator, labels: readonly string[] = []): Promise<string[]> {
    await this.contextMenu(target, labels);
    const menu = this.page.locator('.monaco-menu').nth(labels.length);
    await menu.locator('.action-label:not(.separator)').first().waitFor();
    const items = await menu.locator('.action-item .action-label:not(.separator)').allInnerTexts();
    for (let level = 0; level <= labels.length; level += 1) await this.page.keyboard.press('Escape');
    await this.page.locator('.monaco-menu').first().waitFor({ state: 'detached' });
    return items.map(plain);
  }

  // --- Views --------------------------------------------------------------------------------------------------------

  /** Shows a view container by its icon in the activity bar. */
  async showContainer(title: string): Promise<void> {
    const icon = this.page.locator('.activitybar .action-item', {
      has: this.page.locator(`.action-label[aria-label^="${title}"]`),
    });
    if ((await icon.getAttribute('aria-expanded')) !== 'true') await icon.click();
  }

  /** A view of the side bar by its title, such as `Models`. */
  view(title: string): Locator {
    return this.page.locator('.pane', { has: this.page.locator(`.pane-header[aria-label^="${title}"]`) });
  }

  /** A row of a view's tree by its label. */
  treeRow(view: string, label: string | RegExp): Locator {
    const name = this.page.locator('.label-name', { hasText: matcher(label) });
    return this.view(view).locator('.monaco-list-row').filter({ has: name }).first();
  }

  /** The rows of a view's tree that are drawn at this moment, from the top. */
  async treeRows(view: string): Promise<TreeRow[]> {
    const rows = await this.view(view)
      .locator('.monaco-list-row')
      .evaluateAll((elements) =>
        elements
          .map((row) => ({
            top: row.getBoundingClientRect().top,
            label: row.querySelector('.label-name')?.textContent ?? '',
            description: row.querySelector('.label-description')?.textContent ?? '',
            aria: row.getAttribute('aria-label') ?? '',
            level: Number(row.getAttribute('aria-level')),
            expanded: row.getAttribute('aria-expanded'),
            selected: row.getAttribute('aria-selected') === 'true',
          }))
          .sort((a, b) => a.top - b.top),
      );
    return rows.map(({ label, description, aria, level, expanded, selected }) => ({
      label: plain(label),
      description: plain(description),
      aria,
      level,
      expanded: expanded === null ? undefined : expanded === 'true',
      selected,
    }));
  }

  // --- Notifications and status bar ---------------------------------------------------------------------------------

  get #toasts(): Locator {
    return this.page.locator('.notifications-toasts .notification-list-item');
  }

  /** The notifications that are shown at this moment. */
  async notifications(): Promise<Notification[]> {
    const toasts = await this.#toasts.all();
    return Promise.all(
      toasts.map(async (toast) => {
        const icon = (await toast.locator('.notification-list-item-icon').getAttribute('class')) ?? '';
        return {
          severity: (['error', 'warning'] as const).find((each) => icon.includes(`codicon-${each}`)) ?? 'info',
          text: plain(await toast.locator('.notification-list-item-message').innerText()),
          buttons: (
            await toast.locator('.notification-list-item-buttons-container .monaco-button').allInnerTexts()
          ).map(plain),
        };
      }),
    );
  }

  /** A notification whose text matches; `waitFor` it, or let `press` do so. */
  notification(text: string | RegExp): Locator {
    const message = this.page.locator('.notification-list-item-message', { hasText: text });
    return this.#toasts.filter({ has: message }).first();
  }

  /** Presses a button of a notification, once it is shown. */
  async press(text: string | RegExp, button: string): Promise<void> {
    await this.notification(text)
      .locator('.monaco-button', { hasText: exactly(button) })
      .click();
  }

  /** An item of the status bar by what it shows; `waitFor` it, or click it. */
  statusItem(text: string | RegExp): Locator {
    return this.page.locator('.statusbar .statusbar-item', { hasText: matcher(text) });
  }

  /** The items of the status bar at this moment. */
  async statusBar(): Promise<StatusItem[]> {
    const items = await this.page.locator('.statusbar .statusbar-item:visible').all();
    return Promise.all(
      items.map(async (item) => ({
        id: (await item.getAttribute('id')) ?? '',
        text: plain(await item.innerText()),
        aria: (await item.getAttribute('aria-label')) ?? '',
      })),
    );
  }

  // --- Editors ------------------------------------------------------------------------------------------------------

  /** The lines of the active text editor that are drawn. */
  async editorText(): Promise<string> {
    const editor = this.page.locator('.editor-group-container.active .monaco-editor[role="code"] .view-lines').first();
    await editor.waitFor();
    const lines = await editor.locator('.view-line').evaluateAll((elements) =>
      elements
        .map((line) => ({ top: line.getBoundingClientRect().top, text: line.textContent }))
        .sort((a, b) => a.top - b.top)
        .map(({ text }) => text),
    );
    return lines.map((line) => line.replaceAll('\u00A0', ' ').trimEnd()).join('\n');
  }

  /** Titles of the open editors, from the left. */
  tabs(): Promise<string[]> {
    return this.page
      .locator('.tabs-container .tab')
      .evaluateAll((tabs) => tabs.map((tab) => tab.getAttribute('aria-label') ?? ''));
  }

  /** The content of the webview that is shown; with several, of the one at this place in the order of opening. */
  webview(index = 0): FrameLocator {
    return this.page.locator('iframe.webview.ready:visible').nth(index).contentFrame().frameLocator('#active-frame');
  }
}
