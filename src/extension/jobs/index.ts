import * as vscode from 'vscode';
import type { Services } from '../services';

export function registerJobs(services: Services): vscode.Disposable {
  services.log.trace('jobs');
  return vscode.Disposable.from();
}
