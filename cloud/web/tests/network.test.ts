import { describe, expect, it } from "vitest";
import { stretches } from "../src/lib/chart";
import { spansOf } from "../src/lib/spans";
import type { Network } from "../src/domains/water/incident";
import { type ProbeNow, counted, reachesNow, worstOf } from "../src/domains/water/now";

const reach = (id: string, from_node: string, to_node: string): Network["reaches"][number] => ({
  id,
  name: id,
  name_zh: id,
  from_node,
  to_node,
  line: [
    [120.4, 23.4],
    [120.5, 23.5],
  ],
  length_m: 1000,
  slope: null,
  flow_m3_s: null,
  velocity_m_s: 0.4,
  travel_s: 2500,
  reversible: false,
});

const station = (id: string, on: string): Network["points"][number] => ({
  id,
  kind: "station",
  name: id,
  name_zh: id,
  reach: on,
  offset_m: 500,
  latitude: 23.4,
  longitude: 120.4,
  device: `probe-${id}`,
  permit: "",
  owner: "",
  area: null,
});

/** Two arms into one canal, with a probe on the left arm and one on the canal. */
const network: Network = {
  reaches: [reach("left", "a", "join"), reach("right", "b", "join"), reach("main", "join", "out")],
  points: [station("l", "left"), station("m", "main")],
  areas: [],
};
const probes = (left: Partial<ProbeNow>, main: Partial<ProbeNow>): Map<string, ProbeNow> =>
  new Map([
    ["probe-l", { state: "ok", severity: null, ...left }],
    ["probe-m", { state: "ok", severity: null, ...main }],
  ]);
const now = (given: Map<string, ProbeNow>) => Object.fromEntries(reachesNow(network, given));

describe("the canals of a network now", () => {
  it("are watched where a probe that works is next below", () => {
    expect(now(probes({}, {}))).toEqual({ left: "watched", right: "watched", main: "watched" });
  });

  it("are above an alarm where nothing that works lies between", () => {
    const found = now(probes({}, { severity: "major" }));
    expect(found).toEqual({ left: "watched", right: "above-alarm", main: "alarm" });
  });

  it("are above an alarm past a probe that says nothing", () => {
    const found = now(probes({ state: "offline" }, { severity: "major" }));
    expect(found["left"]).toBe("above-alarm");
  });

  it("are unwatched where no probe below works", () => {
    const dead = probes({}, { state: "failed" });
    expect(now(dead)).toEqual({ left: "watched", right: "unwatched", main: "unwatched" });
    expect(counted(reachesNow(network, dead))).toEqual({
      alarm: 0,
      "above-alarm": 0,
      watched: 1,
      unwatched: 2,
    });
  });

  it("end where water flows in a circle", () => {
    const circle = {
      ...network,
      reaches: [...network.reaches, reach("back", "out", "join")],
      points: [],
    };
    expect([...reachesNow(circle, new Map()).values()]).toEqual(Array(4).fill("unwatched"));
  });
});

describe("a probe on the map", () => {
  it("shows the worst of its alerts", () => {
    const found = worstOf([
      { device: "a", severity: "minor" },
      { device: "a", severity: "critical" },
      { device: "a", severity: "major" },
      { device: "b", severity: "info" },
    ]);
    expect(Object.fromEntries(found)).toEqual({ a: "critical", b: "info" });
  });
});

describe("what is shaded behind a curve", () => {
  it("reaches half of the way to its neighbours", () => {
    const flags = [1, 3, 4, 1, 3];
    expect(stretches([0, 10, 20, 30, 40], (place) => (flags[place] ?? 1) > 2)).toEqual([
      { from: 5, to: 25 },
      { from: 35, to: 40 },
    ]);
  });

  it("is of its own parameter, or of all", () => {
    const of = (parameter: string) => ({
      from: 0,
      to: null,
      parameter,
      tone: "quiet" as const,
      label: parameter,
    });
    const found = spansOf([of(""), of("pH"), of("orp")], "pH");
    expect(found.map((one) => one.label)).toEqual(["", "pH"]);
  });
});
