/** The page of a view. Nothing but our two files runs or is loaded in it. */

import { randomBytes } from 'node:crypto';
import * as vscode from 'vscode';

interface PageParts {
  readonly title: string;
  /** Where the editor serves files of webviews from. */
  readonly cspSource: string;
  readonly script: string;
  readonly style: string;
  /** Fresh for every page. */
  readonly nonce: string;
}

/** @param parts made here, not taken from a model: they are written as they are */
function pageHtml({ title, cspSource, script, style, nonce }: PageParts): string {
  const policy = [`default-src 'none'`, `script-src 'nonce-${nonce}'`, `style-src ${cspSource}`].join('; ');
  return `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title>
<link rel="stylesheet" href="${style}">
</head>
<body>
<script nonce="${nonce}" src="${script}"></script>
</body>
</html>
`;
}

/** Loads the bundle `name` of `dist/webview`, its script and its style, into a view. */
export function fillPage(webview: vscode.Webview, extensionUri: vscode.Uri, title: string, name: string): void {
  const folder = vscode.Uri.joinPath(extensionUri, 'dist', 'webview');
  const address = (file: string): string => webview.asWebviewUri(vscode.Uri.joinPath(folder, file)).toString();
  webview.options = { enableScripts: true, localResourceRoots: [folder] };
  webview.html = pageHtml({
    title,
    cspSource: webview.cspSource,
    script: address(`${name}.js`),
    style: address(`${name}.css`),
    nonce: randomBytes(16).toString('base64url'),
  });
}
