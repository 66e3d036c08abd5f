import { expect, test } from "vitest";
import { bodyOf, chosen, own, usual } from "../src/domains/checkin/family/choice";

test("nothing chosen is the last place and the whole footprint", () => {
  expect(bodyOf(usual())).toEqual({ scopes: ["last_place", "footprint"], footprint_from: null });
});

test("a guardian is offered everything, to be called and shown it as it happens", () => {
  expect(bodyOf(own())).toEqual({
    scopes: ["last_place", "footprint", "live", "alerts"],
    footprint_from: null,
  });
});

test("a day begins at the city's midnight", () => {
  const body = bodyOf({ scopes: ["footprint"], from: "date", date: "2026-05-01" });
  expect(body.footprint_from).toBe("2026-04-30T16:00:00.000Z");
});

test("from now on is the server's now", () => {
  expect(bodyOf({ scopes: ["footprint"], from: "now", date: "" }).footprint_from).toBe("now");
});

test.each(["", "12026-05-01", "2026-05"])("a day that is %j opens nothing of before", (date) => {
  const wanted = { scopes: ["footprint" as const], from: "date" as const, date };
  expect(bodyOf(wanted).footprint_from).toBe("now");
  const before = { scopes: ["footprint" as const], footprint_from: "2026-05-01T00:00:00Z" };
  expect(bodyOf(wanted, before).footprint_from).toBe("now");
});

test("a beginning goes with its footprint", () => {
  const body = bodyOf({ scopes: ["alerts"], from: "date", date: "2026-05-01" });
  expect(body).toEqual({ scopes: ["alerts"], footprint_from: null });
});

test.each([
  ["2026-04-30T16:00:00Z", "2026-05-01"],
  ["2026-05-01T15:59:59Z", "2026-05-01"],
  ["2026-05-01T16:00:00Z", "2026-05-02"],
])("what began at %s began on %s and is not moved to its midnight", (from, date) => {
  const before = { scopes: ["footprint" as const, "live" as const], footprint_from: from };
  const choice = chosen(before);
  expect(choice).toEqual({ scopes: ["footprint", "live"], from: "date", date });
  expect(bodyOf(choice, before).footprint_from).toBe(from);
  expect(bodyOf({ ...choice, date: "2026-06-01" }, before).footprint_from).not.toBe(from);
});
