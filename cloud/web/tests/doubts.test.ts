import { expect, test } from "vitest";
import { detailOf, everythingOf, isDoubtful, unreadOf } from "../src/lib/detail";
import { alert, plain } from "./samples";

test("an alert without marks has no doubts", () => {
  expect(isDoubtful(alert())).toBe(false);
});

test.each([
  { time_quality: "ahead" },
  { owner_doubtful: "gw-east" },
  { shape_doubtful: ["data.battery_percent: 300"] },
] as const)("%o is a doubt", (marks) => {
  expect(isDoubtful(alert({ detail: plain({ ...marks } as Parameters<typeof plain>[0]) }))).toBe(
    true,
  );
});

test("an old report stands with the condition, not among the doubts", () => {
  const detail = plain({ unconfirmed_since: "2026-10-03T00:00:00Z" });
  expect(isDoubtful(alert({ detail }))).toBe(false);
});

test("a detail is read as what its type says, and as nothing else", () => {
  expect(detailOf(alert(), "plain")).toEqual(plain());
  expect(detailOf(alert(), "noise-exceedance")).toBeNull();
});

test("whatever no model fits is shown by name, nested parts as the server has them", () => {
  const detail = plain({
    values: { water_level: 2.5, lit: false, parts: { a: 1 }, gone: null },
    unread: { odd: [1] },
    owner_doubtful: "gw-east",
  });
  expect(everythingOf(detail)).toEqual([
    { name: "water level", value: 2.5, source: "2.5" },
    { name: "lit", value: false, source: "false" },
    { name: "parts", value: null, source: '{"a":1}' },
  ]);
  expect(unreadOf(detail)).toEqual([{ name: "odd", value: null, source: "[1]" }]);
});
