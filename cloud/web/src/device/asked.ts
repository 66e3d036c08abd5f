/** Commands and settings that were sent to a device, as its page lists them. */

import type { components } from "../lib/api/schema";

type Downlink = components["schemas"]["DownlinkEntry"];

/** Actions that the pages have words for. */
export const ACTIONS = [
  "restart_source",
  "sample_now",
  "take_sample",
  "self_test",
  "mute",
  "play_voice",
  "settings",
] as const;
export type Action = (typeof ACTIONS)[number];

const known = (code: string): Action | null => ACTIONS.find((one) => one === code) ?? null;

export function actionOf({ channel, payload }: Downlink): { code: string; known: Action | null } {
  const said = channel === "config" ? "settings" : payload["action"];
  const code = typeof said === "string" ? said : channel;
  return { code, known: known(code) };
}

/** The cloud's own codes of what expired: the gateway refused nothing. */
const EXPIRED: readonly string[] = ["not-reached", "no-answer"];

export type State = "waiting" | "sent" | "done" | "refused" | "unanswered";

/** Waits for its gateway, is sent, was done, was refused, or nobody knows: it expired. */
export function stateOf(one: Downlink): State {
  if (one.answered !== null) {
    if (EXPIRED.includes(one.code ?? "")) return "unanswered";
    return one.accepted ? "done" : "refused";
  }
  return one.sent === null ? "waiting" : "sent";
}

/** Of one device: its commands, and configurations that set something of it. */
export const ofDevice = (all: readonly Downlink[], device: string): Downlink[] =>
  all.filter(({ channel, payload }) => {
    if (channel !== "config") return payload["device"] === device;
    const settings = payload["settings"];
    return typeof settings === "object" && settings !== null && device in settings;
  });
