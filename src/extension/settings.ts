/** Typed access to the settings and the context keys. */

import * as vscode from 'vscode';
import { SETTING_DEFAULTS, type ContextKeys, type Settings } from './ids';

/** The value of a setting for a resource, since folders may differ. */
export function setting<K extends keyof Settings>(key: K, scope?: vscode.Uri): Settings[K] {
  return vscode.workspace.getConfiguration('quantscope', scope).get<Settings[K]>(key, SETTING_DEFAULTS[key]);
}

export function onSettingChange(keys: readonly (keyof Settings)[], react: () => void): vscode.Disposable {
  return vscode.workspace.onDidChangeConfiguration((event) => {
    if (keys.some((key) => event.affectsConfiguration(`quantscope.${key}`))) react();
  });
}

export function setContext<K extends keyof ContextKeys>(key: K, value: ContextKeys[K]): void {
  void vscode.commands.executeCommand('setContext', key, value);
}
