/**
 * What the city looks like now: devices, alerts and latest readings, kept by the event stream.
 * Pages read from here; only `stream` and loaders write.
 */

/* eslint svelte/prefer-svelte-reactivity: "off" -- the sets here are bookkeeping, never shown */

import { SvelteMap } from "svelte/reactivity";
import { Problem, answer, api } from "../api/client";
import type { Alert, AlertSummary, Device, OpenAlerts, SeriesLatest } from "../api/model";
import { byUrgency, isOpen } from "../urgency";
import { AlertFeed } from "./feed.svelte";
import { forgetting } from "./forgetting.svelte";
import { now } from "./now.svelte";

/** A page that stands for months starts afresh when it has heard of so many alerts. */
const MOST_ALERTS = 5_000;
/** The stream's server and the one that raised an alert. */
const SERVERS_DIFFER_MS = 5_000;
const COUNT_EVERY_MS = 1_000;
const NOTHING: OpenAlerts = {
  total: { new: 0, in_progress: 0, mine: 0 },
  domains: {},
  devices: [],
};

/** A whole alert as a list shows it. */
export const summaryOf = (alert: Alert): AlertSummary => ({
  ...alert,
  evidence: alert.evidence.state,
});

export class City {
  devices = new SvelteMap<string, Device>();
  /** Every alert that any list has heard of. */
  alerts = new SvelteMap<string, AlertSummary>();
  /** How often the stream has told of each: whoever shows one whole asks for it again. */
  told = new SvelteMap<string, number>();
  /** Latest value per `device/parameter`, from the stream, and when it came (`performance.now`). */
  latest = new SvelteMap<string, SeriesLatest & { came: number }>();
  /** Counts how often the stream began to tell of everything: what was stored between a page's
   * question and that moment it asks for again. */
  begun = $state(0);
  /** Counts visit events, so that footprints know when to look again. */
  visits = $state(0);
  /** Counts case events, so that lists of cases know when to look again. */
  casesChanged = $state(0);
  /** How often the stream has told of each case, so that its page asks again. Not its version: a
   * deadline that is near or over is told, and leaves that as it is. */
  caseNews = new SvelteMap<string, number>();
  loaded = $state(false);
  /** Counts how often all was loaded again, after the connection had been away. */
  renewed = $state(0);
  /** How many are open: of all, not of those that are loaded. */
  counts: OpenAlerts = $state.raw(NOTHING);
  problem: Problem | null = $state.raw(null);
  /** The alert that was announced last, for screen readers. */
  announced: AlertSummary | null = $state.raw(null);
  /** What needs somebody, the most urgent first; the console begins with it. */
  readonly urgent = new AlertFeed(this, { view: "open" });

  deviceList: Device[] = $derived(
    [...this.devices.values()].sort((a, b) => a.device.localeCompare(b.device)),
  );

  /** Answers to an earlier question, or to one of another account, are not taken. */
  #turn = 0;
  /** Alerts and devices that the stream told of, by each load that is under way. */
  #listening = new Set<Set<string>>();
  /** From when on the stream has told of everything, by the server's clock. */
  #since = -Infinity;
  #recount: ReturnType<typeof setTimeout> | undefined;
  #counted = 0;

  constructor() {
    forgetting.onForget(() => {
      const before = this.loaded;
      this.forget();
      if (before) void this.load();
    });
  }

  /** Devices, what is open, and the first page of it. `time` is the server's, where the stream
   * has just begun: what is raised from then on it tells of. */
  async load(time?: string): Promise<void> {
    const turn = ++this.#turn;
    const missedSince = this.#since;
    if (time !== undefined) this.#since = Date.parse(time) - SERVERS_DIFFER_MS;
    const told = this.listen();
    const known = new Set(this.alerts.keys());
    try {
      const [devices, counts] = await Promise.all([
        answer(api.GET("/api/v1/devices")),
        answer(api.GET("/api/v1/alerts/open")),
        this.urgent.load(),
      ]);
      if (turn !== this.#turn) return;
      this.counts = counts;
      this.#replaceDevices(devices.devices, told);
      this.problem = this.urgent.problem;
      if (this.problem) return;
      if (this.loaded) {
        this.renewed += 1;
        this.#announceMissed(known, missedSince);
      }
      this.loaded = true;
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      if (turn === this.#turn) this.problem = error;
    } finally {
      this.#listening.delete(told);
    }
  }

  /** The worst of what was raised while the connection was away. */
  #announceMissed(known: ReadonlySet<string>, since: number): void {
    const [worst] = [...this.alerts.values()]
      .filter((alert) => !known.has(alert.id) && isOpen(alert, now.date))
      .filter((alert) => Date.parse(alert.raised) >= since)
      .sort(byUrgency);
    if (worst) this.announced = worst;
  }

  /** Ids that the stream tells of from here on: it knows better than an answer on its way. */
  listen(): Set<string> {
    const told = new Set<string>();
    this.#listening.add(told);
    return told;
  }

  /** Of `shown`, forgets what is not in `there` and was not told of meanwhile: it was removed. */
  keepOnly(shown: readonly string[], there: ReadonlySet<string>, told: Set<string>): void {
    this.#listening.delete(told);
    for (const id of shown) {
      if (!there.has(id) && !told.has(id)) this.alerts.delete(id);
    }
  }

  #replaceDevices(devices: readonly Device[], told: ReadonlySet<string>): void {
    const there = new Set(devices.map((device) => device.device));
    for (const name of [...this.devices.keys()]) {
      if (!there.has(name) && !told.has(`device/${name}`)) this.devices.delete(name);
    }
    for (const device of devices) {
      if (!told.has(`device/${device.device}`)) this.devices.set(device.device, device);
    }
  }

  /** Keeps an alert, unless a later version of it is here already. */
  take(alert: AlertSummary): void {
    const known = this.alerts.get(alert.id);
    if (!known || known.version <= alert.version) this.alerts.set(alert.id, alert);
  }

  /** What was done here, before the stream tells of it. */
  done(alert: Alert): void {
    this.take(summaryOf(alert));
    this.#countSoon();
  }

  /** Takes an alert from the stream; a new one is announced. */
  receive(alert: AlertSummary): void {
    const fresh = !this.alerts.has(alert.id);
    for (const told of this.#listening) told.add(alert.id);
    this.take(alert);
    this.told.set(alert.id, (this.told.get(alert.id) ?? 0) + 1);
    this.#countSoon();
    // An old one that no list has reached is heard of, too, when something happens to it.
    const raised = Date.parse(alert.raised) >= this.#since;
    if (fresh && raised && this.loaded && alert.state.active) this.announced = alert;
    if (this.alerts.size > MOST_ALERTS) {
      this.alerts.clear();
      void this.load();
    }
  }

  /** What the stream told, or what a page was answered that asked later. Their own times do not
   * say which is newer: a clock that was ahead may have been set right. */
  newest(name: string, answered: SeriesLatest | null, asked: number): SeriesLatest | null {
    const told = this.latest.get(name) ?? null;
    return told && (!answered || told.came >= asked) ? told : answered;
  }

  /** From the stream. */
  receiveReading(device: string, values: Record<string, SeriesLatest>): void {
    for (const [parameter, latest] of Object.entries(values)) {
      this.latest.set(`${device}/${parameter}`, { ...latest, came: performance.now() });
    }
  }

  receiveCase(id: string): void {
    this.caseNews.set(id, (this.caseNews.get(id) ?? 0) + 1);
    this.casesChanged += 1;
  }

  receiveDevice(device: Device): void {
    for (const told of this.#listening) told.add(`device/${device.device}`);
    this.devices.set(device.device, device);
  }

  /** Counts are the server's. Asked for once a second at most, however much happens. */
  #countSoon(): void {
    if (this.#recount !== undefined) return;
    const wait = Math.max(0, this.#counted + COUNT_EVERY_MS - Date.now());
    this.#recount = setTimeout(() => {
      this.#recount = undefined;
      void this.count();
    }, wait);
  }

  /** Asks how many are open. What fails is asked again with the next change. */
  async count(): Promise<void> {
    const turn = this.#turn;
    this.#counted = Date.now();
    try {
      const counts = await answer(api.GET("/api/v1/alerts/open"));
      if (turn === this.#turn) this.counts = counts;
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
    }
  }

  forget(): void {
    this.#turn += 1;
    clearTimeout(this.#recount);
    this.#recount = undefined;
    this.#listening.clear();
    this.devices.clear();
    this.alerts.clear();
    this.told.clear();
    this.latest.clear();
    this.caseNews.clear();
    this.urgent.forget();
    this.counts = NOTHING;
    this.loaded = false;
    this.announced = null;
    this.problem = null;
  }
}

export const city = new City();
