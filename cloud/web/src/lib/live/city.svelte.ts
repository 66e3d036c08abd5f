/**
 * What the city looks like now: devices, alerts and latest readings, kept by the event stream.
 * Pages read from here; only `stream` and loaders write.
 */

import { SvelteMap } from "svelte/reactivity";
import { Problem, answer, api } from "../api/client";
import type { Alert, AlertPage, Device, SeriesLatest } from "../api/model";
import { byUrgency, isOpen, newestFirst } from "../urgency";
import { now } from "./now.svelte";

const PAGE = 100;
const OPEN_PAGE = 200;
const MOST_OPEN = 2_000;
/** A page that stands for months starts afresh when it has heard of so many alerts. */
const MOST_ALERTS = 5_000;

class City {
  devices = new SvelteMap<string, Device>();
  alerts = new SvelteMap<string, Alert>();
  /** Latest value per `device/parameter`, from the stream. */
  latest = new SvelteMap<string, SeriesLatest>();
  /** Counts visit events, so that footprints know when to look again. */
  visits = $state(0);
  loaded = $state(false);
  /** Counts how often all was loaded again, after the connection had been away. */
  renewed = $state(0);
  /** Where older alerts go on; null when all are here. */
  older = $state<string | null>(null);
  /** When the oldest was raised of those without a gap; null when all are here. */
  reach = $state<string | null>(null);
  /** There are more open alerts than anybody can look through. */
  overflowing = $state(false);
  problem: Problem | null = $state(null);
  /** The alert that was announced last, for screen readers. */
  announced: Alert | null = $state(null);

  /** The newest first, as far back as all have been loaded; open ones may be older than that. */
  newest: Alert[] = $derived(
    [...this.alerts.values()]
      .filter((alert) => this.reach === null || alert.raised >= this.reach)
      .sort(newestFirst),
  );
  open: Alert[] = $derived(
    [...this.alerts.values()].filter((alert) => isOpen(alert, now.date)).sort(byUrgency),
  );
  deviceList: Device[] = $derived(
    [...this.devices.values()].sort((a, b) => a.device.localeCompare(b.device)),
  );

  /** Answers to an earlier question, or to one of another account, are not taken. */
  #turn = 0;
  /** Alerts and devices that the stream told of while a load was under way: it knows better. */
  #told = new Set<string>();

  /** Everything that needs somebody, however old, and the newest of all. */
  async load(): Promise<void> {
    const turn = ++this.#turn;
    this.#told.clear();
    try {
      const [devices, newest, open] = await Promise.all([
        answer(api.GET("/api/v1/devices")),
        answer(api.GET("/api/v1/alerts", { params: { query: { limit: PAGE } } })),
        this.#loadOpen(),
      ]);
      if (turn !== this.#turn) return;
      this.#replaceDevices(devices.devices);
      this.#replaceAlerts([...open, ...newest.alerts]);
      this.#reached(newest);
      this.problem = null;
      if (this.loaded) this.renewed += 1;
      this.loaded = true;
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      if (turn === this.#turn) this.problem = error;
    }
  }

  async #loadOpen(): Promise<Alert[]> {
    const found: Alert[] = [];
    let before: string | null = null;
    do {
      const query: { active: boolean; limit: number; before: string | null } = {
        active: true,
        limit: OPEN_PAGE,
        before,
      };
      const page = await answer(api.GET("/api/v1/alerts", { params: { query } }));
      found.push(...page.alerts);
      before = page.next;
    } while (before !== null && found.length < MOST_OPEN);
    this.overflowing = before !== null;
    return found;
  }

  #replaceDevices(devices: readonly Device[]): void {
    const there = new Set(devices.map((device) => device.device));
    for (const name of [...this.devices.keys()]) {
      if (!there.has(name) && !this.#told.has(`device/${name}`)) this.devices.delete(name);
    }
    for (const device of devices) {
      if (!this.#told.has(`device/${device.device}`)) this.devices.set(device.device, device);
    }
  }

  /** What is no longer told of is forgotten: a consent may have been taken back meanwhile. */
  #replaceAlerts(alerts: readonly Alert[]): void {
    const there = new Set(alerts.map((alert) => alert.id));
    for (const id of [...this.alerts.keys()]) {
      if (!there.has(id) && !this.#told.has(id)) this.alerts.delete(id);
    }
    const fresh = alerts.filter((alert) => !this.alerts.has(alert.id) && isOpen(alert, now.date));
    for (const alert of alerts) this.take(alert);
    const worst = fresh.sort(byUrgency)[0];
    if (this.loaded && worst) this.announced = worst;
  }

  /** One page further into the past. Throws a `Problem`. */
  async loadOlder(): Promise<void> {
    const turn = this.#turn;
    const page = await answer(
      api.GET("/api/v1/alerts", { params: { query: { limit: PAGE, before: this.older } } }),
    );
    if (turn !== this.#turn) return;
    for (const alert of page.alerts) this.take(alert);
    this.#reached(page);
  }

  #reached(page: AlertPage): void {
    this.older = page.next;
    this.reach = page.next === null ? null : (page.alerts.at(-1)?.raised ?? null);
  }

  /** Keeps an alert, unless a later version of it is here already. */
  take(alert: Alert): void {
    const known = this.alerts.get(alert.id);
    if (!known || known.version <= alert.version) this.alerts.set(alert.id, alert);
  }

  /** Takes an alert from the stream; a new one is announced. */
  receive(alert: Alert): void {
    const fresh = !this.alerts.has(alert.id);
    this.#told.add(alert.id);
    this.take(alert);
    // An old one that is not in the list is heard of, too, when somebody takes it.
    const recent = this.reach === null || alert.raised >= this.reach;
    if (fresh && recent && this.loaded && alert.state.active) this.announced = alert;
    if (this.alerts.size > MOST_ALERTS) void this.load();
  }

  receiveDevice(device: Device): void {
    this.#told.add(`device/${device.device}`);
    this.devices.set(device.device, device);
  }

  forget(): void {
    this.#turn += 1;
    this.#told.clear();
    this.devices.clear();
    this.alerts.clear();
    this.latest.clear();
    this.loaded = false;
    this.older = null;
    this.reach = null;
    this.overflowing = false;
    this.announced = null;
    this.problem = null;
  }
}

export const city = new City();
