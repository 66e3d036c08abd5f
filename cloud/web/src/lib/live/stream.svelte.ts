/** Server-sent events into `city`. The browser reconnects by itself after a broken connection;
 * after a refused one we try again, ever more slowly. */

import type { Alert, Device, SeriesLatest } from "../api/model";
import { city } from "./city.svelte";

export type LiveState = "connecting" | "live" | "reconnecting";

const FIRST_RETRY_MS = 1_000;
const LAST_RETRY_MS = 30_000;

/** A `reading` event's values, whether the server writes a list or an object of parameters. */
export function latestValues(data: unknown): [parameter: string, latest: SeriesLatest][] {
  const record = (value: unknown): Record<string, unknown> | null =>
    typeof value === "object" && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : null;
  const sample = (value: unknown): SeriesLatest | null => {
    const from = record(value);
    if (!from) return null;
    const t = typeof from["t"] === "string" ? Date.parse(from["t"]) / 1000 : from["t"];
    const v = from["v"];
    if (typeof t !== "number" || (typeof v !== "number" && v !== null)) return null;
    return { t, v, flag: typeof from["flag"] === "number" ? from["flag"] : 2 };
  };
  const body = record(data);
  const values = body?.["series"] ?? body?.["values"] ?? body?.["latest"];
  const found: [string, SeriesLatest][] = [];
  if (Array.isArray(values)) {
    for (const one of values) {
      const entry = record(one);
      const latest = sample(entry?.["latest"] ?? entry);
      if (typeof entry?.["parameter"] === "string" && latest) {
        found.push([entry["parameter"], latest]);
      }
    }
    return found;
  }
  for (const [parameter, value] of Object.entries(record(values) ?? {})) {
    const latest = sample(value);
    if (latest) found.push([parameter, latest]);
  }
  return found;
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
      const { device } = data as { device: string };
      for (const [parameter, latest] of latestValues(data)) {
        city.latest.set(`${device}/${parameter}`, latest);
      }
    });
    on("visit", () => {
      city.visits += 1;
    });
  }

  #again(): void {
    this.#source?.close();
    clearTimeout(this.#retry);
    this.#retry = setTimeout(() => this.#connect(), this.#delay);
    this.#delay = Math.min(this.#delay * 2, LAST_RETRY_MS);
  }
}

export const stream = new Stream();
