/** A file that is looked at first, and then taken in whole or not at all. */

import type { Problem } from "./api/client";
import { problemFrom } from "./problem";
import { contentOf } from "./upload";

/** What the server says of a file; with mistakes in it nothing was taken. */
export interface Said {
  done: boolean;
  mistakes: readonly { line: number; text: string }[];
}

export interface Asks<S extends Said, C> {
  /** What is chosen beside the file, as text. */
  choices: () => C;
  /** Has the file looked at (`dry_run`) or taken, which follows `looked`, the answer to a look. */
  ask: (content: Blob, choices: C, dry_run: boolean, looked: S | null) => Promise<S>;
  /** It was taken. */
  taken: (said: S) => void;
}

/** What is taken is what was looked at: the file and the choices beside it as they were sent, and
 * not as they are once the answer comes. An answer to anything else is not shown. */
export class FileTaking<S extends Said, C = null> {
  files = $state.raw<FileList | undefined>();
  busy = $state(false);
  problem = $state.raw<Problem | null>(null);
  readonly #asks: Asks<S, C>;
  #answered = $state.raw<{ file: File; choices: string; said: S } | null>(null);

  constructor(asks: Asks<S, C>) {
    this.#asks = asks;
  }

  get #file(): File | null {
    return this.files?.[0] ?? null;
  }

  /** Of the chosen file. */
  get said(): S | null {
    const answered = this.#answered;
    if (answered === null || answered.file !== this.#file) return null;
    return answered.choices === JSON.stringify(this.#asks.choices()) ? answered.said : null;
  }

  /** It was looked at and can be taken. */
  get ready(): boolean {
    return this.said !== null && !this.said.done && this.said.mistakes.length === 0;
  }

  /** Has it looked at or, where that was done, taken. */
  async send(): Promise<void> {
    const file = this.#file;
    if (file === null) return;
    const looked = this.ready ? this.said : null;
    const [choices, dry_run] = [this.#asks.choices(), looked === null];
    this.busy = true;
    this.problem = this.#answered = null;
    try {
      // As it lies on the disk: which encoding it has is the server's to find out.
      const said = await this.#asks.ask(await contentOf(file), choices, dry_run, looked);
      this.#answered = { file, choices: JSON.stringify(choices), said };
      if (said.done) this.#asks.taken(said);
    } catch (error) {
      this.problem = problemFrom(error);
    } finally {
      this.busy = false;
    }
  }
}
