import { Problem, unanswered } from "./api/client";

/** Of one try: sent again after a broken connection, the server does nothing more. */
export function newKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (one) => one.toString(16).padStart(2, "0")).join("");
}

/** Keys of the acts of a form or a button. While it is not known what became of an act, the same one
 * goes under the same key: what did arrive is not done twice. */
export class ActKeys {
  #open: { act: string; key: string } | null = null;

  /** `act`: what is asked for, as text; another one has a key of its own. Throws what `send` does. */
  async send<T>(act: string, send: (key: string) => Promise<T>): Promise<T> {
    const key = this.#open?.act === act ? this.#open.key : newKey();
    this.#open = { act, key };
    try {
      const answered = await send(key);
      this.#open = null;
      return answered;
    } catch (error) {
      if (!(error instanceof Problem && unanswered(error))) this.#open = null;
      throw error;
    }
  }
}
