/** Asks which fix of a layer to apply; what is being tried joins the choices as soon as it was. */

import * as vscode from 'vscode';
import type { FixChoices, FixPick } from './fixPicks';

interface Question {
  /** The layer. */
  readonly title: string;
  readonly choices: () => FixChoices;
  /** The choices may be others now. */
  readonly onDidChange: readonly vscode.Event<unknown>[];
  /** Tries no more of them, so that all are offered. */
  readonly stop: () => void;
}

const STOP: vscode.QuickInputButton = {
  iconPath: new vscode.ThemeIcon('debug-stop'),
  tooltip: 'Try no more of them, and offer all',
};

/** @returns `undefined` where none was chosen */
export async function pickFix({ title, choices, onDidChange, stop }: Question): Promise<FixPick | undefined> {
  const quickPick = vscode.window.createQuickPick<FixPick>();
  const draw = (): void => {
    const { picks, waiting } = choices();
    const [active] = quickPick.activeItems;
    quickPick.items = picks;
    // Whoever stands on one stays there.
    const same = picks.find(({ label }) => label === active?.label);
    if (same !== undefined) quickPick.activeItems = [same];
    quickPick.busy = waiting > 0;
    quickPick.buttons = waiting > 0 ? [STOP] : [];
    quickPick.placeholder = placeholder(picks.length, waiting);
  };
  quickPick.title = title;
  quickPick.keepScrollPosition = true;
  draw();
  const subscriptions = [...onDidChange.map((event) => event(draw)), quickPick.onDidTriggerButton(stop), quickPick];
  try {
    return await new Promise<FixPick | undefined>((resolve) => {
      quickPick.onDidAccept(() => {
        resolve(quickPick.selectedItems[0]);
      });
      quickPick.onDidHide(() => {
        resolve(undefined);
      });
      quickPick.show();
    });
  } finally {
    vscode.Disposable.from(...subscriptions).dispose();
  }
}

function placeholder(offered: number, waiting: number): string {
  if (waiting > 0) return `${waiting} ${offered > 0 ? 'more ' : ''}being tried in the background, then offered here`;
  return offered === 0 ? 'Nothing can be done about this layer' : 'Change the recipe';
}
