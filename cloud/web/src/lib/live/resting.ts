/**
 * A browser opens six connections to a server, for all its tabs together, and an event stream
 * holds one of them for good: with six tabs nothing would load any more. So of the tabs that
 * nobody looks at one goes on listening, for its sound; the others rest until they are looked at.
 */

const REST_AFTER_MS = 60_000;
const LOCK = "vigil.listening";

export class Resting {
  readonly #rest: () => void;
  readonly #wake: () => void;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #seen: AbortController | null = null;

  constructor(rest: () => void, wake: () => void) {
    this.#rest = rest;
    this.#wake = wake;
    document.addEventListener("visibilitychange", () => this.#changed());
  }

  #changed(): void {
    clearTimeout(this.#timer);
    if (document.visibilityState === "hidden") {
      this.#timer = setTimeout(() => void this.#hide(), REST_AFTER_MS);
      return;
    }
    this.#seen?.abort();
    this.#seen = null;
    this.#wake();
  }

  async #hide(): Promise<void> {
    // Only pages of a secure origin have locks; elsewhere every tab listens.
    if (!("locks" in navigator)) return;
    const { signal } = (this.#seen = new AbortController());
    const looked = new Promise<void>((resolve) => {
      signal.addEventListener("abort", () => resolve());
    });
    let alone = false;
    await navigator.locks.request(LOCK, { ifAvailable: true }, (lock) => {
      alone = lock !== null;
      return alone ? looked : undefined;
    });
    if (alone || signal.aborted) return;
    this.#rest();
    try {
      await navigator.locks.request(LOCK, { signal }, () => {
        this.#wake(); // The tab that listened has gone: it is our turn.
        return looked;
      });
    } catch {
      // Looked at before our turn came: awake already.
    }
  }
}
