import * as vscode from 'vscode';
import type { Services } from './services';

export function registerRunsTree(services: Services): vscode.Disposable {
  services.log.trace('runsTree');
  return vscode.Disposable.from();
}
