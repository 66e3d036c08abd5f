import { describe, expect, it } from "vitest";
import { partsOf, pathInHash } from "../src/lib/address";

describe("an address", () => {
  it("is taken apart and decoded", () => {
    expect(partsOf("/")).toEqual([]);
    expect(partsOf("/devices/mic%2D1/")).toEqual(["devices", "mic-1"]);
  });

  it("that cannot be decoded is one where nothing is", () => {
    expect(partsOf("/alerts/%E0%A4%A")).toEqual(["alerts", "%E0%A4%A"]);
  });
});

describe("a link of an old message", () => {
  it("names its page behind the hash", () => {
    expect(pathInHash("#/alerts/7")).toBe("/alerts/7");
    expect(pathInHash("#/alerts?show=all")).toBe("/alerts?show=all");
  });

  it.each(["", "#", "#content", "#//elsewhere.example/x", "#/\\elsewhere.example"])(
    "is not taken for one: %j",
    (hash) => expect(pathInHash(hash)).toBeNull(),
  );
});
