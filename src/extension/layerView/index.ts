import * as vscode from 'vscode';
import type { Services } from '../services';

export function registerLayerView(services: Services): vscode.Disposable {
  services.log.trace('layerView');
  return vscode.Disposable.from();
}
