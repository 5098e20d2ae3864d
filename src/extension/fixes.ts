import * as vscode from 'vscode';
import type { Services } from './services';

export function registerFixes(services: Services): vscode.Disposable {
  services.log.trace('fixes');
  return vscode.Disposable.from();
}
