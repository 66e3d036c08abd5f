/** One list of alerts: pages of it from the server, kept up to date by what the stream tells. */

/* eslint svelte/prefer-svelte-reactivity: "off" -- the sets here are bookkeeping, never shown */

import { Problem, answer, api } from "../api/client";
import type { AlertDomain, AlertSummary } from "../api/model";
import { byUrgency, isShelved, newestFirst } from "../urgency";
import type { City } from "./city.svelte";
import { now } from "./now.svelte";

export const VIEWS = ["open", "mine", "done", "all"] as const;
export type View = (typeof VIEWS)[number];

export interface Wanted {
  view: View;
  domain?: AlertDomain | null;
  device?: string | null;
  /** Whose work `mine` is. */
  username?: string | null;
  /** Part of a title or of a device's or gateway's name. */
  text?: string | null;
  /** Raised then or later. */
  since?: string | null;
  /** Raised before. */
  until?: string | null;
}

const PAGE = 50;
const LARGEST_PAGE = 200;
/** Rows of a large screen. */
const SCREEN = 12;

export class AlertFeed {
  readonly #city: City;
  readonly wanted: Wanted;
  readonly #order: (a: AlertSummary, b: AlertSummary) => number;
  /** Where the next page begins; null when all are here. */
  next = $state<string | null>(null);
  /** The last alert that the pages reach to. */
  #reach = $state.raw<AlertSummary | null>(null);
  /** Who reads it; the city's own list is told by whoever shows it. */
  username: string | null = $state(null);
  loaded = $state(false);
  problem: Problem | null = $state.raw(null);
  /** Answers to an earlier question are not taken. */
  #turn = 0;

  /** In order, as far as the pages reach: what lies beyond waits for its turn, known or not. What
   * is critical, and what the reader has taken, never does. Until the first page is here, as much
   * of what another list knows as a screen holds: hundreds of rows drawn for a moment keep the
   * reader waiting. Where it does not come, all of that. */
  items: AlertSummary[] = $derived.by(() => {
    const known = this.#known();
    if (this.loaded || this.problem) return known;
    return known.filter((alert, at) => at < SCREEN || this.stays(alert));
  });

  #known(): AlertSummary[] {
    const reach = this.next === null ? null : this.#reach;
    return [...this.#city.alerts.values()]
      .filter(
        (alert) =>
          this.#fits(alert) && (!reach || this.#order(alert, reach) <= 0 || this.stays(alert)),
      )
      .filter((alert) => this.wanted.view === "all" || !isShelved(alert, now.date))
      .sort(this.#order);
  }

  constructor(city: City, wanted: Wanted) {
    this.#city = city;
    this.wanted = wanted;
    this.username = wanted.username ?? null;
    const waiting = wanted.view === "open" || wanted.view === "mine";
    this.#order = waiting ? byUrgency : newestFirst;
  }

  #fits(alert: AlertSummary): boolean {
    const { view, domain, device, username } = this.wanted;
    if (domain && alert.domain !== domain) return false;
    if (device && alert.device !== device) return false;
    if (!this.#isFound(alert)) return false;
    if (view === "open") return alert.work !== "done";
    if (view === "mine") return alert.work === "in_progress" && alert.acknowledged_by === username;
    return view === "all" || alert.work === "done";
  }

  /** By word and by day, as the server looks. */
  #isFound(alert: AlertSummary): boolean {
    const { text, since, until } = this.wanted;
    const raised = Date.parse(alert.raised);
    if (since && raised < Date.parse(since)) return false;
    if (until && raised >= Date.parse(until)) return false;
    if (!text) return true;
    const searched = [alert.title, alert.title_zh, alert.device, alert.gateway];
    return searched.some((one) => one.toLowerCase().includes(text.toLowerCase()));
  }

  /** Of all that is open: shown however far the pages reach. */
  stays(alert: AlertSummary): boolean {
    if (this.wanted.view !== "open") return false;
    return alert.severity === "critical" || this.isMine(alert);
  }

  isMine(alert: AlertSummary): boolean {
    const taken = alert.work === "in_progress" && this.username !== null;
    return taken && alert.acknowledged_by === this.username;
  }

  /** From the beginning, as far as it reached before. Alerts that are no longer told of are
   * forgotten. Never throws: the problem is kept. */
  async load(): Promise<void> {
    const turn = ++this.#turn;
    const before = this.loaded ? this.items.length : 0;
    const told = this.#city.listen();
    try {
      const found: AlertSummary[] = [];
      let next: string | null = null;
      do {
        const limit = Math.min(Math.max(PAGE, before - found.length), LARGEST_PAGE);
        const page = await this.#ask(next, limit);
        if (turn !== this.#turn) return;
        found.push(...page.alerts);
        next = page.next;
      } while (next !== null && found.length < before);
      const beyond = next === null ? [] : await this.#beyond();
      if (turn !== this.#turn) return;
      for (const alert of beyond) this.#city.take(alert);
      this.#take(found, next);
      this.#city.keepOnly(
        this.#known().map((alert) => alert.id),
        new Set([...found, ...beyond].map((alert) => alert.id)),
        told,
      );
      this.problem = null;
      this.loaded = true;
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      if (turn === this.#turn) this.problem = error;
    }
  }

  /** One page further. Never throws: the problem is kept. */
  async more(): Promise<void> {
    const { next } = this;
    if (next === null) return;
    const turn = this.#turn;
    try {
      const page = await this.#ask(next, PAGE);
      if (turn !== this.#turn) return;
      this.#take(page.alerts, page.next);
      this.problem = null;
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      if (turn === this.#turn) this.problem = error;
    }
  }

  /** Whoever asked has gone, or may no longer see it. */
  forget(): void {
    this.#turn += 1;
    this.next = null;
    this.#reach = null;
    this.loaded = false;
    this.problem = null;
  }

  #take(alerts: readonly AlertSummary[], next: string | null): void {
    for (const alert of alerts) this.#city.take(alert);
    this.next = next;
    this.#reach = alerts.at(-1) ?? this.#reach;
  }

  /** What stays of the pages that are not here: what is critical and in somebody's hands comes
   * after everything that nobody has taken. */
  async #beyond(): Promise<AlertSummary[]> {
    if (this.wanted.view !== "open") return [];
    const taken = await this.#all("taken", (alert) => alert.severity === "critical");
    return [...taken, ...(await this.#all("mine", () => true))];
  }

  /** Page by page, for as long as the last of each fits. */
  async #all(
    view: "taken" | "mine",
    fits: (alert: AlertSummary) => boolean,
  ): Promise<AlertSummary[]> {
    const found: AlertSummary[] = [];
    let next: string | null = null;
    do {
      const page = await this.#ask(next, LARGEST_PAGE, view);
      found.push(...page.alerts.filter(fits));
      const last = page.alerts.at(-1);
      next = last && fits(last) ? page.next : null;
    } while (next !== null);
    return found;
  }

  #ask(before: string | null, limit: number, view: View | "taken" = this.wanted.view) {
    const { domain, device, text, since, until } = this.wanted;
    const query = {
      limit,
      before,
      domain: domain ?? null,
      device: device ?? null,
      text: text ?? null,
      since: since ?? null,
      until: until ?? null,
      mine: view === "mine",
      state:
        view === "taken"
          ? (["in_progress"] as const).slice()
          : view === "open"
            ? (["new", "in_progress"] as const).slice()
            : view === "done"
              ? (["done"] as const).slice()
              : null,
    };
    return answer(api.GET("/api/v1/alerts", { params: { query } }));
  }
}
