/** Several alerts chosen in a list: ranges, what can be done to all of them, and what is refused. */

import { beforeEach, expect, test, vi } from "vitest";
import { Problem } from "../src/lib/api/client";
import { summary } from "./samples";

const act = vi.hoisted(() => vi.fn());
vi.mock("../src/lib/act", () => ({ act }));
vi.mock("../src/lib/problem", () => ({ problemFrom: (error: unknown) => error }));
vi.mock("../src/lib/rights", () => ({
  mayAcknowledge: ({ domain }: { domain: string }) => domain === "noise",
  mayConfirm: ({ domain }: { domain: string }) => domain === "noise",
}));
const { Choice, actOnAll, allowedForAll } = await import("../src/alerts/choice.svelte");

const NOW = new Date("2026-11-23T12:30:00Z");
const ORDER = ["a", "b", "c", "d", "e"];
const chosen = (choice: InstanceType<typeof Choice>) => [...choice.ids].sort().join("");

beforeEach(() => {
  act.mockReset(); // what it returned would be called as the end of each test
});

test("a range reaches from the one before, in either direction, and takes back as well", () => {
  const choice = new Choice();
  choice.toggle("d");
  choice.reach("b", ORDER);
  expect(chosen(choice)).toBe("bcd");
  choice.reach("c", ORDER, false);
  expect(chosen(choice)).toBe("d");
  choice.toggle("d");
  expect(chosen(choice)).toBe("");
});

test("a range without a beginning is the one alone", () => {
  const choice = new Choice();
  choice.reach("c", ORDER);
  expect(chosen(choice)).toBe("c");
  choice.clear();
  choice.toggle("gone");
  choice.reach("b", ORDER);
  expect(chosen(choice)).toBe("bgone");
});

test("only what can be done to each of them is offered", () => {
  const fresh = summary({});
  const taken = summary({ state: { acknowledged: true } });
  const shelved = summary({ state: { shelved_until: "2026-11-23T13:00:00Z" } });
  expect(allowedForAll([fresh], NOW)).toEqual(["acknowledge", "shelve"]);
  expect(allowedForAll([taken], NOW)).toEqual(["confirm", "shelve"]);
  expect(allowedForAll([fresh, taken], NOW)).toEqual(["shelve"]);
  expect(allowedForAll([shelved], NOW)).toEqual(["acknowledge", "unshelve"]);
  expect(allowedForAll([fresh, summary({ domain: "smoke" })], NOW)).toEqual([]);
  expect(allowedForAll([], NOW)).toEqual([]);
});

test("each one that is refused is named, and keeps no other from it", async () => {
  const problem = new Problem(409, "already-acknowledged", "", "");
  act.mockResolvedValueOnce({}).mockRejectedValueOnce(problem).mockResolvedValueOnce({});
  const alerts = ["a", "b", "c"].map((id) => summary({ id }));
  const outcome = await actOnAll(alerts, "acknowledge", "Engine 3.");
  expect(outcome.done).toBe(2);
  expect(outcome.refused).toEqual([{ alert: alerts[1], problem }]);
  expect(act.mock.calls.map(([alert, ...rest]) => [alert.id, ...rest])).toEqual(
    ["a", "b", "c"].map((id) => [id, "acknowledge", "Engine 3.", undefined]),
  );
});

test("where nothing answers any more the rest is not tried, and named all the same", async () => {
  const away = new Problem(0, "server-unreachable", "", "");
  act.mockRejectedValue(away);
  const alerts = ["a", "b", "c"].map((id) => summary({ id }));
  const outcome = await actOnAll(alerts, "confirm", "");
  expect(act).toHaveBeenCalledTimes(1);
  expect(outcome.refused.map((one) => one.problem)).toEqual([away, away, away]);
});
