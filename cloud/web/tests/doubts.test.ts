import { expect, test } from "vitest";
import { smokeDetail } from "../src/domains/smoke/detail";
import { doubtsOf } from "../src/lib/detail";
import { alert as anAlert } from "./samples";

test("an alert without marks has no doubts", () => {
  expect(doubtsOf(anAlert({ detail: {} }))).toBeNull();
});

test("marks are shown as ingest wrote them, and nothing else is believed", () => {
  const detail = {
    time_quality: "ahead",
    claimed_times: { since: "2076-05-01T08:00:00Z", odd: 7 },
    owner_doubtful: "gw-east",
    shape_doubtful: ["data.battery_percent: 300", 4],
  };
  expect(doubtsOf(anAlert({ detail }))).toEqual({
    time: "ahead",
    claimed: [["since", "2076-05-01T08:00:00Z"]],
    owner: "gw-east",
    shape: ["data.battery_percent: 300"],
  });
  expect(doubtsOf(anAlert({ detail: { time_quality: "odd", shape_doubtful: "x" } }))).toBeNull();
});

test("a self test and an old report say so", () => {
  const detail = {
    condition: "smoke",
    during_test: true,
    unconfirmed_since: "2026-10-03T00:00:00Z",
    signs: ["heat", 3],
  };
  const found = smokeDetail(anAlert({ domain: "smoke", detail }));
  expect(found).toMatchObject({
    during_test: true,
    unconfirmed_since: "2026-10-03T00:00:00Z",
    signs: ["heat"],
    raw: null,
  });
});
