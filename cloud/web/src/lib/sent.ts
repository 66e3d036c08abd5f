/** What was sent already of what somebody chose. */

import { Problem } from "./api/client";
import { newKey } from "./keys";

/** Files of a form that sends several requests: where a later one fails and the form is sent again,
 * those that the server has taken are not sent a second time. The same file chosen anew is the same:
 * browsers make a new object of it each time. */
export class SentFiles {
  readonly #sent = new Set<string>();
  /** Of files whose answer did not come: sent again they are the same to the server. */
  readonly #keys = new Map<string, string>();

  /** Send those that were not sent, in order; what `send` throws ends it. */
  async each(
    files: Iterable<File>,
    send: (file: File, key: string) => Promise<unknown>,
  ): Promise<void> {
    for (const file of files) {
      const name = `${file.name}\n${String(file.size)}\n${String(file.lastModified)}`;
      if (this.#sent.has(name)) continue;
      try {
        await this.#send(name, file, this.#keys.get(name) ?? newKey(), send);
      } catch (error) {
        if (!(error instanceof Problem && error.code === "idempotency-key-reused")) throw error;
        // It was sent before for something else (another box, another home): this is a new request.
        await this.#send(name, file, newKey(), send);
      }
      this.#sent.add(name);
    }
  }

  async #send(
    name: string,
    file: File,
    key: string,
    send: (file: File, key: string) => Promise<unknown>,
  ): Promise<void> {
    this.#keys.set(name, key);
    await send(file, key);
  }

  /** What they belong to has been sent: chosen again they belong to something else. */
  forget(): void {
    this.#sent.clear();
    this.#keys.clear();
  }
}
