/** Server-sent events into `city`. The browser reconnects by itself after a broken connection;
 * after a refused one we try again, ever more slowly. */

import type { Alert, Device, SeriesLatest } from "../api/model";
import { city } from "./city.svelte";

export type LiveState = "connecting" | "live" | "reconnecting";

const FIRST_RETRY_MS = 1_000;
const LAST_RETRY_MS = 30_000;

interface ReadingNews {
  device: string;
  values: Record<string, SeriesLatest>;
}

class Stream {
  state: LiveState = $state("connecting");
  #source: EventSource | null = null;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #delay = FIRST_RETRY_MS;
  #opened = false;

  start(): void {
    this.stop();
    this.state = "connecting";
    this.#opened = false;
    this.#connect();
  }

  stop(): void {
    clearTimeout(this.#retry);
    this.#source?.close();
    this.#source = null;
  }

  #connect(): void {
    const source = new EventSource("/api/v1/stream");
    this.#source = source;
    source.addEventListener("open", () => {
      this.state = "live";
      this.#delay = FIRST_RETRY_MS;
      // What happened between is asked for whole: the feed may not reach back that far.
      if (this.#opened) void city.load();
      this.#opened = true;
    });
    source.addEventListener("error", () => {
      this.state = "reconnecting";
      if (source.readyState === EventSource.CLOSED) this.#again();
    });
    const on = (name: string, take: (data: unknown) => void) =>
      source.addEventListener(name, (event: MessageEvent<string>) => {
        take(JSON.parse(event.data));
      });
    on("alert", (data) => city.receive(data as Alert));
    on("device", (data) => city.devices.set((data as Device).device, data as Device));
    on("reading", (data) => {
      const { device, values } = data as ReadingNews;
      for (const [parameter, latest] of Object.entries(values)) {
        city.latest.set(`${device}/${parameter}`, latest);
      }
    });
    on("visit", () => {
      city.visits += 1;
    });
    // The server no longer knows all that we missed.
    on("resync", () => void city.load());
  }

  #again(): void {
    this.#source?.close();
    clearTimeout(this.#retry);
    this.#retry = setTimeout(() => this.#connect(), this.#delay);
    this.#delay = Math.min(this.#delay * 2, LAST_RETRY_MS);
  }
}

export const stream = new Stream();
