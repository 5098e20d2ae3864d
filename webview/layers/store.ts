/** The state of the page in one place: parts subscribe, and are told once per frame what has changed. */

export type Listener<S> = (state: S, former: S) => void;

export class Store<S extends object> {
  #state: S;
  #told: S;
  #scheduled = false;
  readonly #listeners: Listener<S>[] = [];
  readonly #schedule: (run: () => void) => void;

  /** @param schedule when to tell the listeners */
  constructor(initial: S, schedule: (run: () => void) => void) {
    this.#state = initial;
    this.#told = initial;
    this.#schedule = schedule;
  }

  get state(): S {
    return this.#state;
  }

  update(change: Partial<S>): void {
    const keys = Object.keys(change) as (keyof S)[];
    if (keys.every((key) => Object.is(this.#state[key], change[key]))) return;
    this.#state = { ...this.#state, ...change };
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#schedule(() => {
      this.flush();
    });
  }

  /** Tells the listeners now what they have not been told yet. */
  flush(): void {
    this.#scheduled = false;
    const former = this.#told;
    const state = this.#state;
    if (state === former) return;
    this.#told = state;
    for (const listener of this.#listeners) listener(state, former);
  }

  /** Calls the listener when one of the keys has changed. */
  on(keys: readonly (keyof S)[], listener: Listener<S>): void {
    this.#listeners.push((state, former) => {
      if (keys.some((key) => !Object.is(state[key], former[key]))) listener(state, former);
    });
  }
}
