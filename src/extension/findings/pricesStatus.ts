/** An item of the status bar of its own for the fixes that are tried in the background. */

import * as vscode from 'vscode';
import type { CommandId } from '../ids';
import type { Services } from '../services';
import { setContext } from '../settings';
import type { PricesUnderWay } from './backgroundPrices';

const STOP: CommandId = 'quantscope.stopPrices';
const OPEN_VIEW: CommandId = 'quantscope.openLayerView';

export function registerPricesStatus({ prices }: Services): vscode.Disposable {
  const item = vscode.window.createStatusBarItem('quantscope.prices', vscode.StatusBarAlignment.Left, -1);
  item.name = 'Quantscope: Fixes That Are Tried';
  const draw = (): void => {
    const [first] = prices.underWay;
    setContext('quantscope.tryingFixes', first !== undefined);
    if (first === undefined) item.hide();
    else {
      Object.assign(item, shown(first));
      item.show();
    }
  };
  return vscode.Disposable.from(item, prices.onDidChange(draw));
}

type Shown = Pick<vscode.StatusBarItem, 'text' | 'tooltip' | 'command' | 'accessibilityInformation'>;

function shown({ entry, done, total, waits }: PricesUnderWay): Shown {
  const counted = total === 0 ? '' : ` ${done}/${total}`;
  const label = `${waits ? 'fixes wait' : 'trying fixes'}${counted}`;
  const tooltip = new vscode.MarkdownString();
  tooltip.isTrusted = { enabledCommands: [STOP] };
  tooltip.appendText(`The fixes of ${entry.name}`).appendMarkdown('\n\n');
  tooltip.appendText(
    waits
      ? 'They are tried once the running job is done.'
      : 'Each is converted and run on your data, in the background, so that it is offered with what it brings and costs.',
  );
  tooltip.appendMarkdown(`\n\n[Stop](command:${STOP})`);
  return {
    text: `$(beaker) ${label}`,
    tooltip,
    command: { title: 'Open Layer View', command: OPEN_VIEW, arguments: [entry.recipe] },
    accessibilityInformation: { label: `${entry.name}: ${label}` },
  };
}
