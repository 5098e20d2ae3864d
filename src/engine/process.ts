/** One engine process from its start to its end, as its client sees it. Knows nothing of `vscode` or of the core. */

import { fork, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { createInterface } from 'node:readline';
import {
  createMessageConnection,
  IPCMessageReader,
  IPCMessageWriter,
  type CancellationToken,
  type DataCallback,
  type Disposable,
  type Message,
  type MessageConnection,
} from 'vscode-jsonrpc/node';
import { QuantscopeError, toQuantscopeError } from '../shared/errors';
import type { Progress } from '../shared/progress';
import {
  fromResponse,
  helloMismatch,
  isAnswer,
  PROTOCOL_VERSION,
  type EngineHello,
  type JobName,
  type JobRequest,
  type Jobs,
  type LogLevel,
  type Requests,
} from '../shared/protocol';
import { typed, type TypedConnection } from './rpc';
import { TEMPORARY_PREFIX } from './temporary';

export interface LaunchOptions {
  /** Gives way to everything else on the machine. */
  readonly background?: boolean;
  /** Version of the client's program, which the engine's must equal. */
  readonly version: string;
  /** The engine's program. */
  readonly entry: string;
  /** Arguments of Node, by default those of this process. */
  readonly execArgv?: readonly string[];
  /** The Node program, by default the one of this process. */
  readonly execPath?: string;
}

export interface ProcessEvents {
  readonly onProgress: (job: number, progress: Progress) => void;
  /** Log lines of the engine, and what native code printed. */
  readonly onLog: (level: LogLevel, line: string) => void;
}

/** How the process ended. */
export interface Gone {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** The last thing it said of an error, which names the cause better than an exit code. */
  readonly lastError: string | undefined;
}

/** A start that takes longer than this hangs. */
const HELLO_TIMEOUT_MS = 30_000;
const SHUTDOWN_GRACE_MS = 1_000;

/** Queued behind the last message that a process has sent. */
const END = { jsonrpc: '2.0', method: 'end' } as const satisfies Message & { readonly method: string };

/** The library handles messages in order, but one at a time and later; a message of our own joins that queue. */
class ChannelReader extends IPCMessageReader {
  #callback: DataCallback | undefined;

  override listen(callback: DataCallback): Disposable {
    this.#callback = callback;
    return super.listen(callback);
  }

  inject(message: Message): void {
    this.#callback?.(message);
  }
}

export class EngineProcess {
  readonly #child: ChildProcess;
  readonly #reader: ChannelReader;
  readonly #connection: MessageConnection;
  readonly #rpc: TypedConnection;
  /** What the engine keeps in temporary folders goes with it, even if it is killed. */
  readonly #temporary = temporaryFolder();
  #lastError: string | undefined;
  #lastPrinted: string | undefined;

  /** Resolves once both sides have greeted each other; rejects with `protocol-mismatch` or `engine-crashed`. */
  readonly ready: Promise<EngineHello>;
  /** Resolves when the process has ended and everything that it sent has been read. */
  readonly gone: Promise<Gone>;

  constructor(launch: LaunchOptions, events: ProcessEvents) {
    this.#child = fork(launch.entry, [], {
      serialization: 'advanced',
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      env: { ...process.env, TMPDIR: this.#temporary, TEMP: this.#temporary, TMP: this.#temporary },
      ...(launch.execArgv === undefined ? {} : { execArgv: [...launch.execArgv] }),
      ...(launch.execPath === undefined ? {} : { execPath: launch.execPath }),
    });
    if (launch.background === true) giveWay(this.#child);
    this.#reader = new ChannelReader(this.#child);
    this.#connection = createMessageConnection(this.#reader, new IPCMessageWriter(this.#child));
    this.#rpc = typed(this.#connection);
    this.#rpc.onNotification('progress', ({ job, progress }) => {
      events.onProgress(job, progress);
    });
    this.#rpc.onNotification('log', ({ level, line }) => {
      if (level === 'error') this.#lastError = line;
      events.onLog(level, line);
    });
    this.#forwardOutput(events);
    this.gone = this.#watch();
    this.#connection.listen();
    this.ready = this.#greet(launch.version);
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** @throws QuantscopeError with the engine's code; `undefined` where the engine went away instead of answering. */
  async run<N extends JobName>(
    name: N,
    request: JobRequest<N>,
    token: CancellationToken,
  ): Promise<{ readonly output: Jobs[JobName]['output'] } | undefined> {
    this.#lastPrinted = undefined;
    try {
      return { output: await this.#rpc.request<JobName>(name, request as Requests[JobName]['params'], token) };
    } catch (error) {
      if (isAnswer(error) || this.#child.connected) throw fromResponse(error);
      return undefined;
    }
  }

  /** Asks the engine to end; kills it where it does not. */
  async shutdown(): Promise<Gone> {
    this.#rpc.request('shutdown', {}).catch(() => undefined);
    const timer = setTimeout(() => {
      this.kill();
    }, SHUTDOWN_GRACE_MS);
    try {
      return await this.gone;
    } finally {
      clearTimeout(timer);
    }
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }

  #forwardOutput(events: ProcessEvents): void {
    const { stdout, stderr } = this.#child;
    // Standard output is not ours to write to: the terminal's carries exactly one document.
    if (stdout !== null) {
      createInterface({ input: stdout }).on('line', (line) => {
        events.onLog('info', line);
      });
    }
    if (stderr !== null) {
      createInterface({ input: stderr }).on('line', (line) => {
        this.#lastPrinted = line;
        events.onLog('error', line);
      });
    }
  }

  #watch(): Promise<Gone> {
    return new Promise((resolve) => {
      let exit: Pick<Gone, 'code' | 'signal'> = { code: null, signal: null };
      const end = (code: number | null, signal: NodeJS.Signals | null): void => {
        exit = { code, signal };
        // An answer that came just before the end is still an answer: first handle all messages.
        this.#reader.inject(END);
      };
      this.#connection.onNotification(END.method, () => {
        this.#connection.dispose();
        rmSync(this.#temporary, { recursive: true, force: true });
        resolve({ ...exit, lastError: this.#lastError ?? this.#lastPrinted });
      });
      this.#child.on('close', end);
      this.#child.on('error', (error) => {
        this.#lastError = error.message;
        // Where the process never was, no `close` follows.
        if (this.#child.pid === undefined) end(null, null);
      });
    });
  }

  async #greet(version: string): Promise<EngineHello> {
    const self = { protocol: PROTOCOL_VERSION, version };
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        reject(new QuantscopeError('engine-crashed', 'The engine does not answer after its start.'));
      }, HELLO_TIMEOUT_MS);
    });
    const died = this.gone.then((gone): never => {
      throw new QuantscopeError('engine-crashed', `The engine did not start: ${describeEnd(gone)}.`);
    });
    const hello = this.#rpc.request('hello', self).catch((error: unknown) => {
      // A channel that breaks means an engine that ended; how is known in a moment.
      if (!this.#child.connected) return died;
      throw fromResponse(error);
    });
    try {
      const engine = await Promise.race([hello, died, late]);
      const mismatch = helloMismatch(self, engine);
      if (mismatch !== undefined) throw new QuantscopeError('protocol-mismatch', mismatch);
      return engine;
    } finally {
      clearTimeout(timer);
    }
  }
}

/** Before the process has threads, which take the priority over. */
function giveWay({ pid }: ChildProcess): void {
  if (pid === undefined) return;
  try {
    os.setPriority(pid, os.constants.priority.PRIORITY_LOW);
  } catch {
    // It has ended, or the system does not let us: it works all the same.
  }
}

/** @throws `disk-full`, `file-unwritable` */
function temporaryFolder(): string {
  try {
    return mkdtempSync(path.join(os.tmpdir(), `${TEMPORARY_PREFIX}${process.pid}-`));
  } catch (cause) {
    const { code, message } = toQuantscopeError(cause, 'file-unwritable');
    throw new QuantscopeError(
      code === 'disk-full' ? code : 'file-unwritable',
      `There is no room for temporary files in ${os.tmpdir()}: ${message}.`,
      {
        hint: 'The environment variable TMPDIR (TEMP on Windows) names the folder; it must exist and be writable.',
        cause,
      },
    );
  }
}

/** `signal SIGKILL`, `exit code 3: out of memory`. */
export function describeEnd({ code, signal, lastError }: Gone): string {
  const how = signal !== null ? `signal ${signal}` : code !== null ? `exit code ${code}` : 'it cannot be run';
  return lastError === undefined ? how : `${how}: ${lastError}`;
}
