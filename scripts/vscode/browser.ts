/** A Chromium without a window that looks at a VS Code server, and at nothing else: it reaches no other machine. */

import { chromium, type Browser } from 'playwright-core';
import { installBrowser } from './install';

const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost',
];

export const WINDOW_SIZE = { width: 1280, height: 800 } as const;

export function launchBrowser(): Promise<Browser> {
  return chromium.launch({ executablePath: installBrowser(), args: FLAGS });
}
