/**
 * Work that nobody has asked for: one task at a time, the newest first, and none while something goes before it. What is
 * added waits until the queue is released. What is interrupted stays in the queue, and is begun again. Pure but for the
 * work itself.
 */

import { toQuantscopeError, type QuantscopeError } from '../../shared/errors';

export interface BackgroundTask {
  /** What it is about; a newer task about the same takes its place. */
  readonly key: string;
}

export interface BackgroundWork<T> {
  /** Rejects soon after its signal. */
  readonly run: (task: T, signal: AbortSignal) => Promise<void>;
  /** It is not tried again. */
  readonly failed: (task: T, error: QuantscopeError) => void;
  /** A task came, began, was interrupted or went. */
  readonly changed: () => void;
}

export class BackgroundQueue<T extends BackgroundTask> {
  readonly #work: BackgroundWork<T>;
  #tasks: readonly T[] = [];
  #running: { readonly task: T; readonly controller: AbortController } | undefined;
  #held = false;

  constructor(work: BackgroundWork<T>) {
    this.#work = work;
  }

  /** The one that runs, or that will run next, first. */
  get tasks(): readonly T[] {
    return this.#tasks;
  }

  /** Whether a task is worked on now. */
  isRunning(task: T): boolean {
    return this.#running?.task === task && !this.#running.controller.signal.aborted;
  }

  add(task: T): void {
    const former = this.#tasks.filter(({ key }) => key === task.key);
    this.#tasks = [task, ...this.#tasks.filter(({ key }) => key !== task.key)];
    for (const outdated of former) this.#interrupt(outdated);
    this.#work.changed();
  }

  /** Something goes before: what runs is interrupted. */
  hold(): void {
    this.#held = true;
    if (this.#running === undefined) return;
    this.#interrupt(this.#running.task);
    this.#work.changed();
  }

  /** Nothing goes before: the newest is worked on, and another that runs is interrupted for it. */
  release(): void {
    this.#held = false;
    const [newest] = this.#tasks;
    if (this.#running !== undefined && this.#running.task !== newest) this.#interrupt(this.#running.task);
    this.#next();
  }

  /** Drops tasks for good. */
  drop(isDropped: (task: T) => boolean): void {
    const dropped = this.#tasks.filter(isDropped);
    if (dropped.length === 0) return;
    this.#tasks = this.#tasks.filter((task) => !dropped.includes(task));
    for (const task of dropped) this.#interrupt(task);
    this.#work.changed();
  }

  #interrupt(task: T): void {
    if (this.#running?.task === task) this.#running.controller.abort();
  }

  #next(): void {
    const [task] = this.#tasks;
    if (this.#held || this.#running !== undefined || task === undefined) return;
    const controller = new AbortController();
    this.#running = { task, controller };
    this.#work.changed();
    void this.#run(task, controller.signal);
  }

  async #run(task: T, signal: AbortSignal): Promise<void> {
    try {
      await this.#work.run(task, signal);
      this.#remove(task);
    } catch (error) {
      if (!signal.aborted) {
        this.#remove(task);
        this.#work.failed(task, toQuantscopeError(error));
      }
    }
    this.#running = undefined;
    this.#next();
    this.#work.changed();
  }

  #remove(task: T): void {
    this.#tasks = this.#tasks.filter((other) => other !== task);
  }
}
