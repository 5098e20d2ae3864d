/** One VS Code for the tests of a file: server, browser and the installed extension, with windows of their own. */

import { cpSync, existsSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { after, afterEach, before, type TestContext } from 'node:test';
import type { Browser } from 'playwright-core';
import { windowUrl } from '../../../scripts/vscode/address';
import { launchBrowser, WINDOW_SIZE } from '../../../scripts/vscode/browser';
import { installVscode } from '../../../scripts/vscode/install';
import { type Folders, installExtension, type Server, startServer } from '../../../scripts/vscode/server';
import { currentPackage, OUTPUT, ROOT } from './package';
import { THEMES, type Theme, Workbench } from './workbench';

export type Settings = Readonly<Record<string, unknown>>;

export interface OpenOptions {
  /** Opened as the workspace; none: an empty window. */
  readonly folder?: string;
  /** Whether the workspace is trusted; true unless told otherwise. */
  readonly trusted?: boolean;
  readonly theme?: Theme;
  /** The user's settings, beside those that keep the window quiet. */
  readonly settings?: Settings;
  /** Pixels of a picture for each of the window's; 1 unless told otherwise. */
  readonly scale?: number;
}

/** What would cover the window, ask the network or move while a test looks. */
const QUIET: Settings = {
  'chat.disableAIFeatures': true,
  'editor.cursorBlinking': 'solid',
  'extensions.autoCheckUpdates': false,
  'extensions.autoUpdate': 'off',
  'extensions.ignoreRecommendations': true,
  'quantscope.prices.measure': 'onRequest',
  'files.simpleDialog.enable': true,
  'security.workspace.trust.banner': 'never',
  'security.workspace.trust.startupPrompt': 'never',
  'telemetry.telemetryLevel': 'off',
  'update.mode': 'none',
  'workbench.editor.useModal': 'off',
  'workbench.enableExperiments': false,
  'workbench.reduceMotion': 'on',
  'workbench.secondarySideBar.defaultVisibility': 'hidden',
  'workbench.startupEditor': 'none',
  'workbench.tips.enabled': false,
};

export function userSettings({ theme = 'dark', settings = {} }: OpenOptions): Settings {
  return { ...QUIET, 'workbench.colorTheme': THEMES[theme].name, ...settings };
}

/** A temporary folder under its real name, as VS Code shows and compares it. */
function temporaryFolder(purpose: string): string {
  return realpathSync(mkdtempSync(path.join(tmpdir(), `quantscope-${purpose}-`)));
}

/** Copies what the sample needs: model, recipe, class names, images and labels. */
export function copySample(folder: string): void {
  for (const name of ['shapes.onnx', 'shapes.quant.yaml', 'classes.txt', 'images']) {
    cpSync(path.join(ROOT, 'samples', name), path.join(folder, name), { recursive: true });
  }
}

/** Whether the windows of a server are trusted: that is up to the server, since a setting takes effect too late. */
const TRUST = { trusted: true, restricted: false } as const;
type Trust = keyof typeof TRUST;

/** For scripts; tests have {@link useVscode}. */
export class Session {
  readonly #root = temporaryFolder('vscode');
  readonly #env: NodeJS.ProcessEnv;
  readonly #windows: Workbench[] = [];
  readonly #servers = new Map<Trust, Server>();
  #browser: Browser | undefined;

  constructor(env: NodeJS.ProcessEnv) {
    this.#env = env;
  }

  #folders(trust: Trust): Folders {
    return { userData: path.join(this.#root, trust), extensions: path.join(this.#root, 'extensions') };
  }

  async start(): Promise<void> {
    installExtension(installVscode(), currentPackage(), this.#folders('trusted'));
    // Both to their end, so that `stop` finds what there is to stop even if one of them fails.
    const [browser, server] = await Promise.allSettled([launchBrowser(), this.#server('trusted')]);
    if (browser.status === 'rejected') throw browser.reason;
    this.#browser = browser.value;
    if (server.status === 'rejected') throw server.reason;
  }

  async #server(trust: Trust): Promise<Server> {
    const running = this.#servers.get(trust);
    if (running !== undefined) return running;
    const options = { ...this.#folders(trust), trustAll: TRUST[trust], env: this.#env };
    const server = await startServer(installVscode(), options);
    this.#servers.set(trust, server);
    return server;
  }

  async open(options: OpenOptions): Promise<Workbench> {
    if (this.#browser === undefined) throw new Error('The browser has not been started.');
    const trust = options.trusted === false ? 'restricted' : 'trusted';
    const server = await this.#server(trust);
    const settingsFile = path.join(this.#folders(trust).userData, 'User/settings.json');
    const write = (settings: Settings): void => writeFileSync(settingsFile, JSON.stringify(settings, undefined, 2));
    mkdirSync(path.dirname(settingsFile), { recursive: true });
    write(userSettings(options));
    const context = await this.#browser.newContext({
      viewport: WINDOW_SIZE,
      deviceScaleFactor: options.scale ?? 1,
      permissions: ['clipboard-read', 'clipboard-write'],
      reducedMotion: 'reduce',
    });
    const page = await context.newPage();
    const window = new Workbench(page, {
      url: windowUrl(server.url, options.folder).href,
      trusted: TRUST[trust],
      configure: (changed) => {
        write(userSettings({ ...options, ...changed, settings: { ...options.settings, ...changed.settings } }));
      },
    });
    this.#windows.push(window);
    await window.load();
    return window;
  }

  /** Pictures of the windows and all logs, in `.vscode-test/failures/`; returns the folder. */
  async keepEvidence(name: string): Promise<string> {
    const folder = path.join(OUTPUT, 'failures', name.replaceAll(/[^\w.-]+/g, '_').slice(0, 100));
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true });
    for (const [index, window] of this.#windows.entries()) {
      writeFileSync(path.join(folder, `window${index}.log`), window.console.join('\n'));
      if (!window.closed) await window.screenshot(path.join(folder, `window${index}.png`)).catch(() => undefined);
    }
    for (const [trust, server] of this.#servers) {
      writeFileSync(path.join(folder, `${trust}-server.log`), server.output());
      const logs = path.join(this.#folders(trust).userData, 'logs');
      if (existsSync(logs)) cpSync(logs, path.join(folder, `${trust}-logs`), { recursive: true });
    }
    return folder;
  }

  async stop(): Promise<void> {
    for (const window of this.#windows) await window.close().catch(() => undefined);
    await this.#browser?.close();
    await Promise.all([...this.#servers.values()].map((server) => server.stop()));
    rmSync(this.#root, { recursive: true, force: true, maxRetries: 3 });
  }
}

export interface Vscode {
  /** Opens a window; it is closed after the file's last test, or by `close`. */
  open(options?: OpenOptions): Promise<Workbench>;
  /** A new folder with a copy of the sample (model, recipe, images, labels), removed after the file's last test. */
  sample(): string;
  /** A new folder with these files, by relative path; removed after the file's last test. */
  workspace(files: Readonly<Record<string, string | Uint8Array>>): string;
}

/**
 * To be called once at the top of a test file: starts VS Code with the packaged extension before the first test and
 * stops it after the last one. Where a test fails, pictures and logs are kept and their folder is printed.
 */
export function useVscode({ env = {} }: { env?: NodeJS.ProcessEnv } = {}): Vscode {
  const session = new Session(env);
  const folders: string[] = [];
  const folder = (purpose: string): string => {
    const made = temporaryFolder(purpose);
    folders.push(made);
    return made;
  };
  let started: Promise<void> | undefined;
  // A file's own `before` may open a window: hooks of a file do not wait for each other.
  const start = (): Promise<void> => (started ??= session.start());
  before(start);
  afterEach(async (context) => {
    const { passed, name } = context as TestContext & { passed: boolean };
    if (passed) return;
    const evidence = await session.keepEvidence(name);
    process.stdout.write(`Pictures and logs: ${path.relative(ROOT, evidence)}\n`);
  });
  after(async () => {
    await session.stop();
    for (const made of folders) rmSync(made, { recursive: true, force: true, maxRetries: 3 });
  });
  return {
    open: async (options = {}) => {
      await start();
      return session.open(options);
    },
    sample: () => {
      const made = folder('sample');
      copySample(made);
      return made;
    },
    workspace: (files) => {
      const made = folder('workspace');
      for (const [name, content] of Object.entries(files)) {
        mkdirSync(path.dirname(path.join(made, name)), { recursive: true });
        writeFileSync(path.join(made, name), content);
      }
      return made;
    },
  };
}
