import { describe, expect, it } from "vitest";
import { keptSaid } from "../src/cases/kept";

const say = (key: string, values: Record<string, string | number>): string =>
  `${key} ${Object.values(values).join(" ")}`;
const ARRIVED = "2026-03-01T06:00:00Z";

describe("what a phone kept without a network", () => {
  it("says when it was written, beside its arrival", () => {
    const [said, ...more] = keptSaid({ written: "2026-03-01T04:00:00Z" }, ARRIVED, "en", say);
    expect(said).toContain("12:00");
    expect(more).toEqual([]);
  });

  it("says nothing of what came at once, or was never kept", () => {
    expect(keptSaid({ written: "2026-03-01T05:59:30Z" }, ARRIVED, "en", say)).toEqual([]);
    expect(keptSaid({ entry: "visit" }, ARRIVED, "en", say)).toEqual([]);
  });

  it("marks a clock in doubt, and a time that had not come", () => {
    const detail = { written: ARRIVED, claimed: "2026-03-01T09:00:00Z", clock_off_s: 10_800 };
    const said = keptSaid(detail, ARRIVED, "en", say);
    expect(said).toHaveLength(2);
    expect(said[0]).toContain("17:00");
    expect(said[1]).toContain("10800");
  });
});
