/** From one alert to the next as they stood in the list that the reader came from. */

import { beforeEach, expect, test } from "vitest";

const { trail } = await import("../src/alerts/trail.svelte");
const LIST = "/alerts?domain=noise";

beforeEach(() => trail.follow(LIST, ["a", "b/2", "c"]));

test("what stands before and after, and nothing beyond the ends", () => {
  expect(trail.around("a")).toEqual({ before: null, after: "b/2", place: 1 });
  expect(trail.around("c")).toEqual({ before: "b/2", after: null, place: 3 });
  expect(trail.around("elsewhere")).toBeNull();
});

test("the way back leads to the list, also over others of its alerts", () => {
  expect(trail.from(LIST)).toBe(LIST);
  expect(trail.from("/alerts/b%2F2")).toBe(LIST);
  expect(trail.from("/alerts/elsewhere")).toBeNull();
  expect(trail.from("/alerts")).toBeNull();
  expect(trail.from("/devices")).toBeNull();
  expect(trail.from(null)).toBeNull();
});

test("nothing of it stays once it is forgotten", () => {
  trail.forget();
  expect(trail.around("a")).toBeNull();
  expect(trail.from(LIST)).toBeNull();
});
