/**
 * Log files for the VS Code of the cache, in place of `@vscode/spdlog`, whose native half is not built there: without
 * it neither logs nor output channels would exist. The names and levels are those of that module's declarations.
 */

import { appendFileSync, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';

const LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'critical'];

class Logger {
  #file;
  #level = LEVELS.indexOf('info');
  #bare = false;

  constructor(file) {
    this.#file = file;
    mkdirSync(dirname(file), { recursive: true });
    for (const [level, name] of LEVELS.entries()) this[name] = (message) => this.#write(level, message);
  }

  #write(level, message) {
    if (level < this.#level) return;
    const head = this.#bare ? '' : `${new Date().toISOString().replace('T', ' ').slice(0, -1)} [${LEVELS[level]}] `;
    appendFileSync(this.#file, `${head}${message}${this.#bare ? '' : '\n'}`);
  }

  getLevel() {
    return this.#level;
  }

  setLevel(level) {
    this.#level = level;
  }

  setPattern() {
    this.#bare = false;
  }

  clearFormatters() {
    this.#bare = true;
  }

  flush() {}

  drop() {}
}

export const version = 0;
export const setLevel = () => undefined;
export const setFlushOn = () => undefined;
export const createRotatingLogger = async (_name, file) => new Logger(file);
export const createAsyncRotatingLogger = createRotatingLogger;
