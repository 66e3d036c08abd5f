import { Problem, unanswered } from "./api/client";

/** Of one try: sent again after a broken connection, the server does nothing more. */
export function newKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (one) => one.toString(16).padStart(2, "0")).join("");
}

interface Open {
  key: string;
  since: number;
  seen: number;
}

const DAY_MS = 86_400_000;

/** Keys of the acts of a form or a button. While it is not known what became of an act, the same one
 * goes under the same key, whatever else is asked for in between: what did arrive is not done twice. */
export class ActKeys {
  readonly #open = new Map<string, Open>();
  readonly #lastsMs: number;

  /** `lastsMs`: so long an act is the same one; later it is asked for anew. A command that has
   * expired by then would else be answered as it was, and not be done. */
  constructor(lastsMs = DAY_MS) {
    this.#lastsMs = lastsMs;
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
    const now = Date.now();
    const before = this.#open.get(act);
    const same = before !== undefined && now - before.since < this.#lastsMs;
    const open = same ? before : { key: newKey(), since: now, seen };
    this.#open.set(act, open);
    try {
      const answered = await send(open.key, open.since, open.seen);
      this.#over(act, open);
      return answered;
    } catch (error) {
      if (!(error instanceof Problem && unanswered(error))) this.#over(act, open);
      throw error;
    }
  }

  #over(act: string, open: Open): void {
    if (this.#open.get(act) === open) this.#open.delete(act);
  }
}
