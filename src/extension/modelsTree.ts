import * as vscode from 'vscode';
import type { Services } from './services';

export function registerModelsTree(services: Services): vscode.Disposable {
  services.log.trace('modelsTree');
  return vscode.Disposable.from();
}
