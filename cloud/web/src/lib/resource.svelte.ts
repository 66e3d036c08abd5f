/**
 * The one way in which pages fetch what they show.
 *
 * Asks when its key changes, when what `again` reads changes, and at a new age of rights. What
 * was asked for under another key or by older rights is never shown, not even until the answer
 * comes. An answer to an earlier question is not taken. Where the server cannot be asked, what
 * is shown stays and is `stale`; where it says that this is not, or no longer, for the reader
 * (401, 403, 404), it is forgotten at once, and everything else is asked for anew.
 */

import { untrack } from "svelte";
import { Problem } from "./api/client";
import { forgetting } from "./live/forgetting.svelte";

const GONE: ReadonlySet<number> = new Set([401, 403, 404]);

export interface Options {
  /** What is read in here makes it ask again, keeping what is shown until the answer is there. */
  again?: () => unknown;
  /** It asks at most so often. */
  pace_ms?: number;
  /** It asks again so often, whatever happens. */
  every_ms?: number;
}

export class Resource<T> {
  readonly #key: () => string | null;
  readonly #ask: (signal: AbortSignal) => Promise<T>;
  #held = $state.raw<{ key: string; age: number; value: T } | null>(null);
  #failed = $state.raw<{ key: string; age: number; problem: Problem } | null>(null);
  #under: AbortController | null = null;
  #asked = -Infinity;

  constructor(key: () => string | null, ask: (signal: AbortSignal) => Promise<T>) {
    this.#key = key;
    this.#ask = ask;
  }

  /** What is there for the present key, by the present rights. */
  get value(): T | null {
    return this.#current(this.#held)?.value ?? null;
  }

  /** Why it is not there, or not as it is now. */
  get problem(): Problem | null {
    return this.#current(this.#failed)?.problem ?? null;
  }

  /** What is shown was true when the server could last be asked. */
  get stale(): boolean {
    return this.value !== null && this.problem !== null;
  }

  #current<H extends { key: string; age: number }>(held: H | null): H | null {
    return held !== null && held.key === this.#key() && held.age === forgetting.age ? held : null;
  }

  /** How long to wait before asking again is decent. */
  wait(pace_ms: number): number {
    return Math.max(0, this.#asked + pace_ms - Date.now());
  }

  /** What the server has just said, in answer to something that was done. */
  put(value: T): void {
    const key = this.#key();
    if (key === null) return;
    this.#under?.abort();
    this.#under = null;
    this.#held = { key, age: forgetting.age, value };
    this.#failed = null;
  }

  /** Asks now. */
  load = async (): Promise<void> => {
    this.cancel();
    const key = this.#key();
    if (key === null) return;
    const mine = (this.#under = new AbortController());
    const { age } = forgetting;
    this.#asked = Date.now();
    let value: T;
    try {
      value = await this.#ask(mine.signal);
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      if (this.#under === mine) this.#refused({ key, age, problem: error });
      return;
    }
    if (this.#under !== mine) return;
    this.#held = { key, age, value };
    this.#failed = null;
  };

  #refused(failed: { key: string; age: number; problem: Problem }): void {
    this.#failed = failed;
    if (!GONE.has(failed.problem.status)) return;
    // Also under another key: who may see one week of it may see another.
    const lost = this.#held !== null && this.#held.age === forgetting.age;
    this.#held = null;
    // It was the reader's a moment ago: what else is on the page may not be theirs either.
    if (lost) {
      forgetting.everywhere();
      this.#failed = { ...failed, age: forgetting.age };
    }
  }

  /** Nobody waits for the answer any more. */
  cancel(): void {
    this.#under?.abort();
    this.#under = null;
  }
}

/** A resource that asks by itself for as long as the component stands. `key`: what is asked for,
 * `null` for nothing; `ask` reads what it needs when it is called. */
export function resource<T>(
  key: () => string | null,
  ask: (signal: AbortSignal) => Promise<T>,
  { again, pace_ms = 0, every_ms }: Options = {},
): Resource<T> {
  const found = new Resource(key, ask);
  let before: string | null = null;

  $effect(() => {
    const now = `${forgetting.age}/${key()}`;
    again?.();
    const wait = now === before ? found.wait(pace_ms) : 0;
    before = now;
    const timer = setTimeout(() => void untrack(found.load), wait);
    return () => clearTimeout(timer);
  });
  $effect(() => {
    if (every_ms === undefined) return;
    const timer = setInterval(() => void found.load(), every_ms);
    return () => clearInterval(timer);
  });
  $effect(() => () => found.cancel());
  return found;
}
