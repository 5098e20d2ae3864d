import * as vscode from 'vscode';
import type { Services } from './services';

export function registerLayersTree(services: Services): vscode.Disposable {
  services.log.trace('layersTree');
  return vscode.Disposable.from();
}
