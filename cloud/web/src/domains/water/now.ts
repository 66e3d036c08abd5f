/** How the stations and canals of a network are at this moment. Pure. */

import type { DeviceState, Severity } from "../../lib/api/model";
import { worse } from "../../lib/map/marker";
import type { Network } from "./incident";

export type ReachNow = "alarm" | "above-alarm" | "watched" | "unwatched";
export const REACH_STATES: readonly ReachNow[] = ["alarm", "above-alarm", "watched", "unwatched"];

/** The map draws in colours of its own, by day and by night: these stand out on both. */
export const REACH_COLOURS: Record<ReachNow, string> = {
  alarm: "#c62f25",
  "above-alarm": "#c26a12",
  watched: "#2f7d6f",
  unwatched: "#8d897d",
};

export interface ProbeNow {
  state: DeviceState;
  /** The worst open alert of it. */
  severity: Severity | null;
}

/** Whether a probe would tell of what passes it. */
const sees = (probe: ProbeNow | undefined): boolean =>
  probe !== undefined && (probe.state === "ok" || probe.state === "degraded");

/**
 * Of each reach by its id. A reach is in alarm where a probe on it is; above an alarm where the
 * next probe below it is; watched where that one works; unwatched where there is none, or none
 * that works, before the water leaves the network.
 */
export function reachesNow(
  network: Network,
  probes: ReadonlyMap<string, ProbeNow>,
): Map<string, ReachNow> {
  const on = new Map<string, ProbeNow[]>();
  for (const point of network.points) {
    const probe = point.kind === "station" && point.device ? probes.get(point.device) : undefined;
    if (probe) on.set(point.reach, [...(on.get(point.reach) ?? []), probe]);
  }
  const below = new Map<string, string[]>();
  for (const reach of network.reaches) {
    below.set(reach.from_node, [...(below.get(reach.from_node) ?? []), reach.id]);
  }
  const ends = new Map(network.reaches.map((reach) => [reach.id, reach.to_node]));

  const of = (id: string): ReachNow => {
    let alarmed = false;
    let watched = false;
    const seen = new Set([id]);
    let waiting = [id];
    while (waiting.length > 0) {
      const next: string[] = [];
      for (const one of waiting) {
        const there = on.get(one) ?? [];
        if (there.some((probe) => probe.severity !== null)) {
          if (one === id) return "alarm";
          alarmed = true;
        } else if (there.some(sees)) {
          watched = true;
        } else {
          for (const further of below.get(ends.get(one) ?? "") ?? []) {
            if (!seen.has(further)) {
              seen.add(further);
              next.push(further);
            }
          }
        }
      }
      waiting = next;
    }
    return alarmed ? "above-alarm" : watched ? "watched" : "unwatched";
  };
  return new Map(network.reaches.map((reach) => [reach.id, of(reach.id)]));
}

/** The worst severity of each device's alerts. */
export function worstOf(
  alerts: readonly { device: string; severity: Severity }[],
): ReadonlyMap<string, Severity> {
  const found = new Map<string, Severity>();
  for (const { device, severity } of alerts) {
    found.set(device, worse(found.get(device) ?? null, severity));
  }
  return found;
}

/** How many reaches are in each state. */
export function counted(states: ReadonlyMap<string, ReachNow>): Record<ReachNow, number> {
  const found = { alarm: 0, "above-alarm": 0, watched: 0, unwatched: 0 };
  for (const state of states.values()) found[state] += 1;
  return found;
}
