import { expect, test } from "vitest";
import { lasted, whatOf } from "../src/lib/looks";

test.each([
  ["location.read", "footprints", "footprints"],
  ["location.read", "last place", "lastPlace"],
  ["location.read", "alert 6f1f3c1e-6d0e-5b1e-9a58-0a4f6f0d6b11", "alert"],
  ["location.read", "alerts", "alerts"],
  ["location.read", "stream visits", "live"],
  ["consent.granted", "daughter", null],
])("%s of %s is said as %s", (action, subject, what) => {
  expect(whatOf({ action, subject })).toBe(what);
});

test("an end is said of what lasted", () => {
  const at = "2026-05-01T08:00:00Z";
  expect(lasted({ at, until: null })).toBe(false);
  expect(lasted({ at, until: at })).toBe(false);
  expect(lasted({ at, until: "2026-05-01T08:05:00Z" })).toBe(true);
});
