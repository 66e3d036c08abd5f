import { Problem, unanswered } from "./api/client";

/** Of one try: sent again after a broken connection, the server does nothing more. */
export function newKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (one) => one.toString(16).padStart(2, "0")).join("");
}

/** Keys of the acts of a form or a button. While it is not known what became of an act, the same one
 * goes under the same key: what did arrive is not done twice. */
export class ActKeys {
  #open: { act: string; key: string; since: number; seen: number } | null = null;
  readonly #lasts_ms: number;

  /** `lasts_ms`: for so long what is asked for can be done. A command that ended unanswered is not
   * done any more: who asks for it later asks for another one. */
  constructor(lasts_ms = Infinity) {
    this.#lasts_ms = lasts_ms;
  }

  /** `act`: what is asked for, as text; another one has a key of its own. `send` is given the key
   * and when the act was first asked for, in milliseconds: what is reckoned from now would differ the
   * second time. `seen`: the revision that was looked at, which is given as it was at first: what
   * did arrive made another one. Throws what `send` does. */
  async send<T>(
    act: string,
    send: (key: string, since: number, seen: number) => Promise<T>,
    seen = 0,
  ): Promise<T> {
    const before = this.#open?.act === act ? this.#open : null;
    const same = before !== null && Date.now() - before.since < this.#lasts_ms ? before : null;
    const open = same ?? { act, key: newKey(), since: Date.now(), seen };
    this.#open = open;
    try {
      const answered = await send(open.key, open.since, open.seen);
      this.#open = null;
      return answered;
    } catch (error) {
      if (!(error instanceof Problem && unanswered(error))) this.#open = null;
      throw error;
    }
  }
}
