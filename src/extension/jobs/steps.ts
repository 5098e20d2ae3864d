/** Questions one after the other in one place, with a way back. */

import * as vscode from 'vscode';

export interface Choice<T> extends vscode.QuickPickItem {
  /** None for what only separates. */
  readonly value?: T;
}

export interface Question<T> {
  readonly title: string;
  readonly placeholder: string;
  /** From 1. */
  readonly step: number;
  readonly steps: number;
  /** While they are looked for, the question shows that it is busy. */
  readonly choices: PromiseLike<readonly Choice<T>[]>;
}

export const BACK = Symbol('back');

/**
 * @returns the chosen value; `undefined` where the person gave up
 * @throws what looking for the choices throws
 */
export async function ask<T>(question: Question<T>): Promise<T | typeof BACK | undefined> {
  const { title, placeholder, step, steps, choices } = question;
  const pick = vscode.window.createQuickPick<Choice<T>>();
  Object.assign(pick, { title, placeholder, step, totalSteps: steps, busy: true, ignoreFocusOut: true });
  pick.matchOnDescription = true;
  pick.buttons = step > 1 ? [vscode.QuickInputButtons.Back] : [];
  pick.show();
  try {
    const answer = new Promise<T | typeof BACK | undefined>((resolve) => {
      pick.onDidAccept(() => {
        const value = pick.selectedItems[0]?.value;
        if (value !== undefined) resolve(value);
      });
      pick.onDidTriggerButton(() => resolve(BACK));
      pick.onDidHide(() => resolve(undefined));
    });
    const fill = async (): Promise<void> => {
      const found = await choices;
      pick.items = found;
      pick.busy = false;
    };
    return await Promise.race([answer, fill().then(() => answer)]);
  } finally {
    pick.dispose();
  }
}

/** The same question once more: it has not been answered, or its choices have changed. */
export const AGAIN = Symbol('again');

/** A question by its place, from 1. It keeps its answer itself. */
export type Step = (place: Pick<Question<never>, 'step' | 'steps'>) => Promise<unknown>;

/** Asks one after the other, with a way back. @returns false where the person gave up */
export async function askInTurn(questions: readonly Step[]): Promise<boolean> {
  const steps = questions.length;
  for (let at = 0; at < steps;) {
    const answer = await questions[at]!({ step: at + 1, steps });
    if (answer === undefined) return false;
    if (answer !== AGAIN) at += answer === BACK ? -1 : 1;
  }
  return true;
}

export function separator(label: string): Choice<never> {
  return { label, kind: vscode.QuickPickItemKind.Separator };
}
