import { describe, expect, it } from "vitest";
import { APART_ZOOM, CRITICAL, SINGLE, clustered, isCluster } from "../src/lib/map/clusters";
import type { Mark } from "../src/lib/map/marker";
import type { Box } from "../src/lib/geo";

const CITY: Box = [120.3, 23.4, 120.6, 23.6];
const label = (count: number) => `${count} devices`;

function mark(n: number, more: Partial<Mark> = {}): Mark {
  return {
    id: `device-${n}`,
    position: [120.35 + ((n * 37) % 1000) / 5000, 23.42 + ((n * 91) % 1000) / 6250],
    domain: "smoke",
    state: "ok",
    severity: null,
    label: `device ${n}`,
    ...more,
  };
}
const many = (count: number) => Array.from({ length: count }, (_, n) => mark(n));
const counted = (found: Mark[]) =>
  found.reduce((sum, one) => sum + (isCluster(one) ? one.count : 1), 0);

describe("marks of a whole city", () => {
  it("are left alone while they are few", () => {
    expect(clustered(many(SINGLE), 12, CITY, null, label)).toEqual(many(SINGLE));
  });

  it("are few drawn ones at every zoom that shows the city, and none is lost", () => {
    for (const zoom of [5, 9, 11, 12.7]) {
      const found = clustered(many(10_000), zoom, null, null, label);
      expect(counted(found)).toBe(10_000);
      expect(found.length).toBeLessThan(1_000);
    }
  });

  it("say the worst that is in them", () => {
    const marks = many(300).map((one) => ({ ...one, position: [120.4, 23.5] as [number, number] }));
    marks[7] = { ...(marks[7] as Mark & { position: [number, number] }), severity: "minor" };
    marks[8] = { ...(marks[8] as Mark & { position: [number, number] }), severity: "major" };
    marks[9] = { ...(marks[9] as Mark & { position: [number, number] }), state: "failed" };
    const [one, ...others] = clustered(marks, 12, CITY, null, label);
    expect(others).toEqual([]);
    expect(one).toMatchObject({
      severity: "major",
      state: "failed",
      label: "300 devices",
      order: 300,
    });
    expect(one?.position[0]).toBeCloseTo(120.4);
  });

  it("never hide a critical alert or what is selected, and a flood of them is bounded", () => {
    const marks = many(1_000).map((one) => ({
      ...one,
      position: [120.4, 23.5] as [number, number],
    }));
    const fires = marks.map((one, n) => (n < 3 ? { ...one, severity: "critical" as const } : one));
    const ids = clustered(fires, 10, CITY, "device-500", label).map((one) => one.id);
    expect(ids).toEqual(expect.arrayContaining(["device-0", "device-1", "device-2", "device-500"]));
    expect(ids).toHaveLength(5);
    const all = marks.map((one) => ({ ...one, severity: "critical" as const }));
    const found = clustered(all, 10, CITY, null, label);
    expect(found).toHaveLength(CRITICAL + 1);
    expect(found.at(-1)).toMatchObject({ severity: "critical" });
  });

  it("are drawn one by one near by, and only those in view", () => {
    const near: Box = [120.4, 23.5, 120.41, 23.51];
    const found = clustered(many(10_000), APART_ZOOM, near, null, label);
    expect(found.some(isCluster)).toBe(false);
    expect(found.length).toBeLessThan(100);
  });
});
