/** Starts the VS Code of the cache as a server on this machine's loopback, and installs extensions into it. */

import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import * as path from 'node:path';
import type { Vscode } from './install';

const LISTENING = /listening on (http:\S+?)\/?\s/;
const STOP_MS = 3000;

/** Runs a command, and ends it with all it started once this process is gone, however that came about. */
const GUARD = '("$@"; kill -KILL 0) & cat > /dev/null; kill -KILL 0';

export interface Folders {
  /** Settings, logs and states of the user. */
  readonly userData: string;
  readonly extensions: string;
}

export interface Server {
  /** Address without a path, such as `http://127.0.0.1:40123`. */
  readonly url: string;
  /** What it has printed so far. */
  readonly output: () => string;
  stop(): Promise<void>;
}

export interface ServerOptions extends Folders {
  /** 0: any free port. */
  readonly port?: number;
  /** Every folder is trusted without a question. */
  readonly trustAll?: boolean;
  /** For the server, the extension host and what extensions start. */
  readonly env?: NodeJS.ProcessEnv;
}

function argumentsOf({ userData, extensions }: Folders): string[] {
  // A path of its own for the configuration, since the user's could ask for a password or another port.
  const config = path.join(userData, 'code-server.yaml');
  return ['--config', config, '--user-data-dir', userData, '--extensions-dir', extensions];
}

/** Without the variables by which a terminal inside VS Code would make a server talk to that VS Code. */
function environment(node: string, { userData }: Folders, env: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(([name]) => !/^(VSCODE_|NODE_TEST_|NODE_OPTIONS$|PORT$)/.test(name));
  return {
    ...Object.fromEntries(kept),
    PATH: [path.dirname(node), process.env['PATH'] ?? ''].join(path.delimiter),
    // No marketplace: nothing is asked of the network.
    EXTENSIONS_GALLERY: '{}',
    XDG_CONFIG_HOME: path.join(userData, 'config'),
    XDG_DATA_HOME: path.join(userData, 'data'),
    ...env,
  };
}

/** Installs a `.vsix` as `code --install-extension` does. */
export function installExtension({ node, entry }: Vscode, vsix: string, folders: Folders): void {
  mkdirSync(folders.extensions, { recursive: true });
  const args = [entry, ...argumentsOf(folders), '--install-extension', vsix, '--force'];
  const { status, stdout, stderr } = spawnSync(node, args, { encoding: 'utf8', env: environment(node, folders) });
  if (status !== 0 || !stdout.includes('successfully installed')) {
    throw new Error(`${path.basename(vsix)} could not be installed:\n${stdout}${stderr}`);
  }
}

/** Starts the server; rejects if it ends before it listens. */
export async function startServer({ node, entry }: Vscode, options: ServerOptions): Promise<Server> {
  for (const folder of [options.userData, options.extensions]) mkdirSync(folder, { recursive: true });
  const args = [entry, ...argumentsOf(options), '--bind-addr', `127.0.0.1:${options.port ?? 0}`, '--auth', 'none'];
  args.push('--session-socket', path.join(options.userData, 'session.sock'), '--reconnection-grace-time', '30');
  args.push('--disable-telemetry', '--disable-update-check', '--disable-getting-started-override');
  if (options.trustAll === true) args.push('--disable-workspace-trust');
  // A group of its own, so that extension hosts and what they started end with it.
  const command = ['-c', GUARD, 'sh', node, ...args];
  const child = spawn('sh', command, { detached: true, env: environment(node, options, options.env) });
  const kill = (signal: NodeJS.Signals): void => {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, signal);
    } catch {
      // It has ended.
    }
  };

  let output = '';
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  const url = await new Promise<string>((resolve, reject) => {
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8');
      stream.on('data', (text: string) => {
        output += text;
        const [, found] = LISTENING.exec(output) ?? [];
        if (found !== undefined) resolve(found);
      });
    }
    child.once('error', reject);
    child.once('close', (code) => reject(new Error(`VS Code's server ended (${String(code)}):\n${output}`)));
  });
  const stop = async (): Promise<void> => {
    kill('SIGTERM');
    const timer = setTimeout(() => kill('SIGKILL'), STOP_MS);
    await ended;
    clearTimeout(timer);
    kill('SIGKILL');
  };
  return { url, output: () => output, stop };
}
