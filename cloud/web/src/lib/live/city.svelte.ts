/**
 * What the city looks like now: devices, alerts and latest readings, kept by the event stream.
 * Pages read from here; only `stream` and loaders write.
 */

import { SvelteMap } from "svelte/reactivity";
import { Problem, answer, api } from "../api/client";
import type { Alert, Device, SeriesLatest } from "../api/model";
import { byUrgency, isOpen, newestFirst } from "../urgency";

const FIRST_ALERTS = 100;
class City {
  devices = new SvelteMap<string, Device>();
  alerts = new SvelteMap<string, Alert>();
  /** Latest value per `device/parameter`, from the stream. */
  latest = new SvelteMap<string, SeriesLatest>();
  /** Counts visit events, so that footprints know when to look again. */
  visits = $state(0);
  loaded = $state(false);
  /** Where older alerts go on; null when all are here. */
  older = $state<string | null>(null);
  problem: Problem | null = $state(null);
  /** The alert that was announced last, for screen readers. */
  announced: Alert | null = $state(null);

  newest: Alert[] = $derived([...this.alerts.values()].sort(newestFirst));
  open: Alert[] = $derived([...this.alerts.values()].filter(isOpen).sort(byUrgency));
  deviceList: Device[] = $derived(
    [...this.devices.values()].sort((a, b) => a.device.localeCompare(b.device)),
  );

  async load(): Promise<void> {
    try {
      const [devices, alerts] = await Promise.all([
        answer(api.GET("/api/v1/devices")),
        answer(api.GET("/api/v1/alerts", { params: { query: { limit: FIRST_ALERTS } } })),
      ]);
      this.devices.clear();
      for (const device of devices.devices) this.devices.set(device.device, device);
      for (const alert of alerts.alerts) this.alerts.set(alert.id, alert);
      this.older = alerts.next;
      this.problem = null;
      this.loaded = true;
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      this.problem = error;
    }
  }

  /** One page further into the past. Throws a `Problem`. */
  async loadOlder(): Promise<void> {
    const page = await answer(
      api.GET("/api/v1/alerts", {
        params: { query: { limit: FIRST_ALERTS, before: this.older } },
      }),
    );
    for (const alert of page.alerts) this.alerts.set(alert.id, alert);
    this.older = page.next;
  }

  /** Takes an alert from the stream; a new one is announced. */
  receive(alert: Alert): void {
    const fresh = !this.alerts.has(alert.id);
    this.alerts.set(alert.id, alert);
    if (fresh && this.loaded && alert.state.active) this.announced = alert;
  }

  forget(): void {
    this.devices.clear();
    this.alerts.clear();
    this.latest.clear();
    this.loaded = false;
    this.older = null;
    this.announced = null;
    this.problem = null;
  }
}

export const city = new City();
