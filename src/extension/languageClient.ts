import * as vscode from 'vscode';
import type { Services } from './services';

export function registerLanguageClient(services: Services): vscode.Disposable {
  services.log.trace('languageClient');
  return vscode.Disposable.from();
}
