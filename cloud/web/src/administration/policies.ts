/** Escalation policies between what the server stores and what a form holds. */

import type { ChannelKind, Policy } from "../lib/api/model";
import { instantOf, local } from "../lib/localTime";

export { mistakesOf, of, type Mistake } from "../lib/mistakes";

export const CHANNELS: readonly ChannelKind[] = [
  "page",
  "push",
  "line",
  "sms",
  "voice",
  "call",
  "email",
  "webhook",
];
const HOUR_S = 3600;

export interface StepDraft {
  id: number;
  after_s: string;
  channel: ChannelKind;
  persons: string[];
  /** The name of a rota; empty: the persons. */
  rota: string;
}

export interface RotaDraft {
  id: number;
  name: string;
  persons: string[];
  /** As `datetime-local` has it. */
  start: string;
  hours: string;
}

export interface Draft {
  name: string;
  match: Required<Policy["match"]> & object;
  quiet: boolean;
  from: string;
  to: string;
  /** Minutes; empty: as the service is set. */
  remind: string;
  rotas: RotaDraft[];
  steps: StepDraft[];
  fallback: StepDraft;
}

let counted = 0;
const next = (): number => (counted += 1);

export const newStep = (after_s: number): StepDraft => ({
  id: next(),
  after_s: String(after_s),
  channel: "push",
  persons: [],
  rota: "",
});

export const newRota = (name: string): RotaDraft => ({
  id: next(),
  name,
  persons: [],
  start: local(new Date().toISOString()),
  hours: "24",
});

export const newDraft = (): Draft => ({
  name: "",
  match: { household: "", district: "", kind: "", domain: "", severity: "" },
  quiet: false,
  from: "22:00",
  to: "07:00",
  remind: "",
  rotas: [],
  steps: [newStep(0)],
  fallback: newStep(300),
});

type StoredStep = Policy["fallback"];

export function draftOf(policy: Policy): Draft {
  const rotas = Object.entries(policy.rota ?? {}).map(([name, rota]) => ({
    id: next(),
    name,
    persons: [...rota.persons],
    start: local(rota.start ?? "2026-01-01T00:00:00Z"),
    hours: String((rota.shift_s ?? 24 * HOUR_S) / HOUR_S),
  }));
  const step = (one: StoredStep): StepDraft => {
    let rota = typeof one.rota === "string" ? one.rota : "";
    if (typeof one.rota === "object" && one.rota !== null) {
      // Written where it is used: the form gives it a name.
      rota = `rota ${String(rotas.length + 1)}`;
      rotas.push({
        id: next(),
        name: rota,
        persons: [...one.rota.persons],
        start: local(one.rota.start ?? "2026-01-01T00:00:00Z"),
        hours: String((one.rota.shift_s ?? 24 * HOUR_S) / HOUR_S),
      });
    }
    return {
      id: next(),
      after_s: String(one.after_s),
      channel: one.channel,
      persons: [...(one.persons ?? [])],
      rota,
    };
  };
  const steps = (policy.step ?? []).map(step);
  const fallback = step(policy.fallback);
  return {
    ...newDraft(),
    name: policy.name,
    match: { ...newDraft().match, ...policy.match },
    quiet: !!policy.quiet_hours,
    from: policy.quiet_hours?.from.slice(0, 5) ?? "22:00",
    to: policy.quiet_hours?.to.slice(0, 5) ?? "07:00",
    remind: policy.remind_s ? String(policy.remind_s / 60) : "",
    rotas,
    steps,
    fallback,
  };
}

/** A field of a number: empty or no number is told by the server as what it is. */
const number = (text: string): number => (text.trim() === "" ? NaN : Number(text));

export function policyOf(draft: Draft): Policy {
  const step = (one: StepDraft): StoredStep => ({
    after_s: number(one.after_s),
    channel: one.channel,
    persons: one.rota ? [] : one.persons,
    rota: one.rota || null,
  });
  return {
    name: draft.name.trim(),
    match: draft.match,
    quiet_hours: draft.quiet ? { from: draft.from, to: draft.to } : null,
    rota: Object.fromEntries(
      draft.rotas.map((one) => [
        one.name.trim(),
        {
          persons: one.persons,
          start: instantOf(one.start),
          shift_s: number(one.hours) * HOUR_S,
        },
      ]),
    ),
    remind_s: draft.remind.trim() === "" ? null : number(draft.remind) * 60,
    step: draft.steps.map(step),
    fallback: step(draft.fallback),
  };
}

/** Everybody whom a policy may call, with the channel: whose answers can be tried out. */
export function callable(draft: Draft): { person: string; channel: ChannelKind }[] {
  const found = new Map<string, { person: string; channel: ChannelKind }>();
  for (const step of [...draft.steps, draft.fallback]) {
    const turns = draft.rotas.find((one) => one.name === step.rota);
    for (const person of step.rota ? (turns?.persons ?? []) : step.persons) {
      found.set(`${person}\n${step.channel}`, { person, channel: step.channel });
    }
  }
  return [...found.values()];
}
