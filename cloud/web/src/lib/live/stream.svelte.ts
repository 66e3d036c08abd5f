/** Server-sent events into `city`. The browser reconnects by itself after a broken connection;
 * after a refused one we try again, ever more slowly. A connection that has died without a word,
 * under a sleeping laptop for instance, is known by the heartbeats that it no longer brings. */

import { answer, api } from "../api/client";
import type { AlertSummary, Device, SeriesLatest } from "../api/model";
import { city } from "./city.svelte";
import { forgetting } from "./forgetting.svelte";
import { Resting } from "./resting";

export type LiveState = "connecting" | "live" | "reconnecting";

const FIRST_RETRY_MS = 1_000;
const LAST_RETRY_MS = 30_000;
/** Three heartbeats of the server. */
const SILENCE_MS = 45_000;
const LOOK_MS = 5_000;

interface News {
  rights?: string;
  time?: string;
}

interface ReadingNews {
  device: string;
  values: Record<string, SeriesLatest>;
}

class Stream {
  state: LiveState = $state("connecting");
  #source: EventSource | null = null;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #watch: ReturnType<typeof setInterval> | undefined;
  #delay = FIRST_RETRY_MS;
  #heard = 0;
  #resting = false;
  /** The server's digest of what we may see. */
  #rights: string | null = null;

  constructor() {
    // Awake, or on the network again: there is no reason to wait any longer.
    document.addEventListener("visibilitychange", () => this.#look());
    addEventListener("pageshow", (event) => {
      // Put aside and shown again as it was: what happened meanwhile it has not heard of.
      if (event.persisted && this.#source) this.#connect();
      this.#look();
    });
    addEventListener("pagehide", (event) => {
      if (event.persisted) forgetting.beforeRest();
    });
    addEventListener("online", () => this.#source && this.#connect());
    new Resting(
      () => this.#rest(),
      () => this.#wake(),
    );
  }

  start(): void {
    this.stop();
    this.state = "connecting";
    this.#delay = FIRST_RETRY_MS;
    this.#connect();
    this.#watch = setInterval(() => this.#look(), LOOK_MS);
  }

  stop(): void {
    clearTimeout(this.#retry);
    clearInterval(this.#watch);
    this.#source?.close();
    this.#source = null;
    this.#resting = false;
  }

  /** Another account comes, with rights of its own. */
  end(): void {
    this.stop();
    this.#rights = null;
  }

  #rest(): void {
    if (!this.#source) return;
    this.stop();
    this.#resting = true;
  }

  #wake(): void {
    if (this.#resting) this.start();
  }

  #connect(): void {
    clearTimeout(this.#retry);
    this.#source?.close();
    const source = new EventSource("/api/v1/stream");
    this.#source = source;
    this.#heard = Date.now();
    let behind = true;
    source.addEventListener("open", () => {
      this.#heard = Date.now();
      this.#delay = FIRST_RETRY_MS;
      behind = true;
      this.state = "live";
    });
    source.addEventListener("error", () => {
      this.state = "reconnecting";
      if (!city.loaded) void city.load(); // Lists serve without the stream, too.
      if (source.readyState === EventSource.CLOSED) this.#again();
    });
    const on = (name: string, take: (data: unknown) => void) =>
      source.addEventListener(name, (event: MessageEvent<string>) => {
        this.#heard = Date.now();
        take(JSON.parse(event.data));
      });
    on("heartbeat", (data) => {
      this.#mayStill(data as News);
      // The first one says that from here on we are told of everything. What was before is
      // asked for whole: the feed may not reach back that far.
      const { time } = data as News;
      if (behind) {
        void city.load(time);
        city.begun += 1;
      }
      behind = false;
    });
    on("alert", (data) => city.receive(data as AlertSummary));
    on("device", (data) => city.receiveDevice(data as Device));
    on("reading", (data) => {
      const { device, values } = data as ReadingNews;
      city.receiveReading(device, values);
    });
    on("case", (data) => {
      city.receiveCase((data as { id: string }).id);
    });
    on("visit", () => {
      city.visits += 1;
    });
    // The server no longer knows all that we missed, or our rights are others than they were.
    on("resync", (data) => {
      if (!this.#mayStill(data as News)) return;
      void city.load();
    });
    on("ended", () => {
      // Too many pages of this session listen, and this one was the first. It goes on when it is
      // looked at again, or after a while.
      source.close();
      this.state = "reconnecting";
      this.#delay = LAST_RETRY_MS;
      this.#again();
    });
  }

  /** Whether we may see what we might before. If not, all of that is forgotten and asked anew. */
  #mayStill({ rights }: News): boolean {
    if (rights === undefined) return true;
    const before = this.#rights;
    this.#rights = rights;
    if (before === null || before === rights) return true;
    forgetting.everywhere();
    return false;
  }

  #look(): void {
    if (!this.#source || Date.now() - this.#heard < SILENCE_MS) return;
    // A browser that waits to reconnect, or whom we let wait, hears nothing either.
    this.state = "reconnecting";
    this.#connect();
  }

  #again(): void {
    this.#source?.close();
    clearTimeout(this.#retry);
    this.#retry = setTimeout(() => this.#connect(), this.#delay);
    this.#delay = Math.min(this.#delay * 2, LAST_RETRY_MS);
    // Refused because the session is over? Then everything shown here goes, too.
    answer(api.GET("/api/v1/session")).catch(() => undefined);
  }
}

export const stream = new Stream();
