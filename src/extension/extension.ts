/** The extension: a list of registrations. Each feature is a file of its own. */

import type * as vscode from 'vscode';
import { registerFindings } from './findings';
import { registerFixes } from './fixes';
import { registerJobs } from './jobs';
import { registerLanguageClient } from './languageClient';
import { registerLayersTree } from './layersTree';
import { registerLayerView } from './layerView';
import { registerModelsTree } from './modelsTree';
import { registerPythonDiagnostics } from './python/diagnostics';
import { registerRunsTree } from './runsTree';
import { createServices } from './services';
import { registerTools } from './tools';
import { registerTune } from './tune';

export function activate(context: vscode.ExtensionContext): void {
  const services = createServices(context);
  context.subscriptions.push(
    services,
    registerJobs(services),
    registerModelsTree(services),
    registerLayersTree(services),
    registerRunsTree(services),
    registerLayerView(services),
    registerFixes(services),
    registerFindings(services),
    registerTune(services),
    registerTools(services),
    registerPythonDiagnostics(services),
    registerLanguageClient(services),
  );
}
