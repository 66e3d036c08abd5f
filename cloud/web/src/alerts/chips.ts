/** What is said of an alert in a few words each, in the order in which they stand. */

import { describe } from "../domains/registry";
import type { AlertSummary } from "../lib/api/model";
import { ago, moment } from "../lib/format";
import { speech, t } from "../lib/i18n/index.svelte";
import type { IconName } from "../lib/ui/Icon.svelte";
import { awaitsConfirmation, isAside, isShelved } from "../lib/urgency";

type Tone = "plain" | "critical" | "major" | "minor" | "info" | "ok" | "accent";

export interface ChipOf {
  key: string;
  tone: Tone;
  icon?: IconName;
  text: string;
}

/** `whole`: on its own page also what a row leaves out, for that most of them say it. */
export function chipsOf(alert: AlertSummary, whole: boolean, present: Date): ChipOf[] {
  return [
    { key: "severity", tone: alert.severity, text: t(`severity.${alert.severity}`) },
    ...whetherActive(alert, whole),
    ...whoHasIt(alert, whole, present),
    ...confirmation(alert),
    ...setAside(alert, present),
    ...(alert.evidence === "waiting"
      ? [{ key: "evidence", tone: "plain", icon: "upload", text: t("evidence.waiting") } as const]
      : []),
    ...alert.doubts.map((doubt): ChipOf => ({
      key: `doubt-${doubt}`,
      tone: "minor",
      icon: "warning",
      text: t(`doubt.short.${doubt}`),
    })),
  ];
}

function whetherActive(alert: AlertSummary, whole: boolean): ChipOf[] {
  if (!alert.state.active) {
    return [{ key: "cleared", tone: "ok", icon: "check", text: t("alert.cleared") }];
  }
  if (alert.severity === "info" && !whole) return [];
  // A vehicle has gone by at once; what is still open is the case.
  const passed = describe(alert.domain).momentary ?? false;
  const tone = alert.severity === "info" || passed ? "info" : "critical";
  return [{ key: "active", tone, text: t(passed ? "alert.pending" : "alert.active") }];
}

function whoHasIt(alert: AlertSummary, whole: boolean, present: Date): ChipOf[] {
  if (!alert.state.acknowledged) {
    if (!whole || alert.severity === "info") return [];
    return [{ key: "taken", tone: "minor", text: t("alert.unacknowledged") }];
  }
  const name = alert.acknowledged_by;
  const text =
    alert.work === "in_progress"
      ? t("alert.inProgressBy", {
          name: name ?? "–",
          time: ago(alert.acknowledged_at, speech.language, present),
        })
      : name && !whole
        ? t("alert.acknowledgedBy", { name })
        : t("alert.acknowledged");
  return [{ key: "taken", tone: "accent", icon: "check", text }];
}

function confirmation(alert: AlertSummary): ChipOf[] {
  const chips: ChipOf[] = [];
  if (awaitsConfirmation(alert)) {
    chips.push({ key: "to-confirm", tone: "minor", icon: "clock", text: t("alert.toConfirm") });
  }
  if (alert.state.confirmed) {
    chips.push({ key: "confirmed", tone: "accent", icon: "double", text: t("alert.confirmed") });
  }
  return chips;
}

function setAside(alert: AlertSummary, present: Date): ChipOf[] {
  const { state } = alert;
  const time = (until: string | null) => moment(until, speech.language, present);
  const withTime = (text: string, until: string | null | undefined) =>
    until ? `${text} ${t("shelf.until", { time: time(until) })}` : text;
  const chips: ChipOf[] = [];
  if (isShelved(alert, present)) {
    const text = t("alert.shelved", { time: time(state.shelved_until) });
    chips.push({ key: "shelved", tone: "plain", icon: "clock", text });
  }
  if (isAside(alert, present)) {
    const tone = alert.severity === "critical" ? "critical" : "plain";
    const text = t(`alert.device.${state.device_shelf ?? "shelved"}`);
    chips.push({
      key: "aside",
      tone,
      icon: "clock",
      text: withTime(text, state.device_shelf_until),
    });
  }
  if (state.out_of_service) {
    const text = withTime(t("alert.outOfService"), state.out_of_service_until);
    chips.push({ key: "out-of-service", tone: "plain", text });
  }
  return chips;
}
