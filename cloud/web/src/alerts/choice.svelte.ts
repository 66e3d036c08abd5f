/** Alerts that somebody has chosen in a list, to do one thing to all of them. */

import { SvelteSet } from "svelte/reactivity";
import { type Action, act } from "../lib/act";
import { type Problem, unanswered } from "../lib/api/client";
import type { AlertSummary } from "../lib/api/model";
import { problemFrom } from "../lib/problem";
import { mayAcknowledge, mayConfirm } from "../lib/rights";
import { isShelved } from "../lib/urgency";

export class Choice {
  readonly ids = new SvelteSet<string>();
  /** From where a range reaches. */
  #last: string | null = null;

  /** Chosen or not any more. */
  set(id: string, chosen: boolean): void {
    if (chosen) this.ids.add(id);
    else this.ids.delete(id);
    this.#last = id;
  }

  toggle(id: string): void {
    this.set(id, !this.ids.has(id));
  }

  /** All from the one before to this one, in the order in which they stand. */
  reach(id: string, order: readonly string[], chosen = true): void {
    const to = order.indexOf(id);
    const from = this.#last === null ? to : order.indexOf(this.#last);
    if (from < 0 || to < 0) return this.set(id, chosen);
    for (const one of order.slice(Math.min(from, to), Math.max(from, to) + 1)) {
      this.set(one, chosen);
    }
    this.#last = id;
  }

  clear(): void {
    this.ids.clear();
    this.#last = null;
  }
}

type Stands = Pick<AlertSummary, "domain" | "severity" | "state" | "work">;

const ALLOWED: Record<Action, (alert: Stands, now: Date) => boolean> = {
  acknowledge: (alert) =>
    alert.severity !== "info" && !alert.state.acknowledged && mayAcknowledge(alert),
  confirm: (alert) => alert.work === "in_progress" && !alert.state.confirmed && mayConfirm(alert),
  shelve: (alert, now) => alert.state.active && !isShelved(alert, now) && mayConfirm(alert),
  unshelve: (alert, now) => isShelved(alert, now) && mayConfirm(alert),
};

/** What can be done to every one of them, as far as the screen knows. */
export function allowedForAll(alerts: readonly Stands[], now: Date): Action[] {
  if (alerts.length === 0) return [];
  return (Object.keys(ALLOWED) as Action[]).filter((action) =>
    alerts.every((alert) => ALLOWED[action](alert, now)),
  );
}

export interface Outcome {
  action: Action;
  done: number;
  refused: { alert: AlertSummary; problem: Problem }[];
}

/** One after the other; what is refused keeps none of the others from it. Where nothing answers any
 * more, the rest is not tried. */
export async function actOnAll(
  alerts: readonly AlertSummary[],
  action: Action,
  comment: string,
  until?: Date,
): Promise<Outcome> {
  const outcome: Outcome = { action, done: 0, refused: [] };
  let away: Problem | null = null;
  for (const alert of alerts) {
    try {
      if (away) throw away;
      await act(alert, action, comment, until);
      outcome.done += 1;
    } catch (error) {
      const problem = problemFrom(error);
      if (unanswered(problem)) away = problem;
      outcome.refused.push({ alert, problem });
    }
  }
  return outcome;
}
