/** Asks for the goal of a tune: which limits, then each limit's value. */

import * as vscode from 'vscode';
import type { TuneGoal } from '../../shared/tuning';
import { toNumber, valueProblem, type GoalChoice } from './goalChoices';

/** @returns `undefined` where the person gave up */
export async function askForGoal(name: string, choices: readonly GoalChoice[]): Promise<TuneGoal | undefined> {
  const items = choices.map((choice) => ({
    choice,
    label: choice.label,
    description: `${choice.value} ${choice.unit}`,
    detail: choice.detail,
    picked: choice.picked,
  }));
  const title = `Tune ${name}`;
  const placeHolder = 'What must hold? Of the recipes that hold it, the one with the most in int8 is taken.';
  const options = { title, placeHolder, canPickMany: true, ignoreFocusOut: true } as const;
  const chosen = await vscode.window.showQuickPick(items, options);
  if (chosen === undefined || chosen.length === 0) return undefined;
  const goal: { -readonly [K in keyof TuneGoal]: number } = {};
  for (const [index, { choice }] of chosen.entries()) {
    const step = chosen.length === 1 ? '' : ` (${index + 1}/${chosen.length})`;
    const answer = await vscode.window.showInputBox({
      title: `${title}: ${choice.label.toLowerCase()}${step}`,
      prompt: `${choice.detail} In ${choice.unit}.`,
      value: String(choice.value),
      ignoreFocusOut: true,
      validateInput: (text) => valueProblem(text, choice),
    });
    if (answer === undefined) return undefined;
    goal[choice.key] = toNumber(answer);
  }
  return goal;
}
