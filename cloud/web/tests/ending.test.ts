/** Which consents a guardian is asked to renew. */

import { expect, test } from "vitest";
import { endingOf } from "../src/domains/checkin/family/ending";

const NOW = Date.parse("2026-03-01T04:00:00Z");
const DAY = 86_400_000;
const at = (days: number) => new Date(NOW + days * DAY).toISOString();

type Scopes = ("last_place" | "footprint" | "live" | "alerts")[];
const consent = (id: number, granted: number, expires: number, over: object = {}) => ({
  id,
  account: "mei",
  granted: at(granted),
  expires: at(expires),
  revoked: null as string | null,
  scopes: ["last_place", "alerts"] as Scopes,
  footprint_from: null as string | null,
  ...over,
});
const ids = (...all: ReturnType<typeof consent>[]) => endingOf(all, NOW).map((one) => one.id);

test.each([
  ["a year, a month before its end", -336, 29, true],
  ["a year, five weeks before", -330, 35, false],
  ["a month, as it was given", 0, 30, false],
  ["a month, a week before", -23, 7, true],
  ["a week, as it was given", 0, 7, false],
  ["a weekend, on its last day", -1, 1, true],
  ["a day", 0, 1, false],
  ["ended yesterday", -366, -1, true],
  ["ended long ago", -400, -31, false],
])("of %s", (_, granted, expires, said) => {
  expect(ids(consent(1, granted, expires))).toEqual(said ? [1] : []);
});

test("what was taken back, or goes on by another, is not asked for", () => {
  const ending = consent(1, -360, 5);
  expect(ids({ ...ending, revoked: at(-2) })).toEqual([]);
  expect(ids(ending, consent(2, -1, 364))).toEqual([]);
  expect(ids(ending, consent(2, -1, 364, { revoked: at(0) }))).toEqual([1]);
  expect(ids(ending, consent(2, -1, 364, { account: "tom" }))).toEqual([1]);
  expect(ids(ending, consent(2, -1, 364, { scopes: ["last_place"] }))).toEqual([1]);
  expect(ids(ending, { ...ending, id: 2 })).toEqual([2]);
});

test("two that go on for it together leave nothing to renew", () => {
  const ending = consent(1, -360, 5);
  const place = consent(2, -1, 364, { scopes: ["last_place"] });
  const alerts = consent(3, -1, 364, { scopes: ["alerts"] });
  expect(ids(ending, place)).toEqual([1]);
  expect(ids(ending, place, alerts)).toEqual([]);
});

test("a footprint that begins later does not go on for one that reaches further", () => {
  const scopes: Scopes = ["footprint"];
  const whole = consent(1, -360, 5, { scopes });
  const cut = consent(2, -1, 364, { scopes, footprint_from: at(-10) });
  expect(ids(whole, cut)).toEqual([1]);
  expect(ids({ ...whole, footprint_from: at(-10) }, cut)).toEqual([]);
  expect(ids({ ...whole, footprint_from: at(-5) }, cut)).toEqual([]);
});
