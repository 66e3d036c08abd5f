import { describe, expect, it } from "vitest";
import { partsOf } from "../src/lib/address";

describe("an address", () => {
  it("is taken apart and decoded", () => {
    expect(partsOf("/")).toEqual([]);
    expect(partsOf("/devices/mic%2D1/")).toEqual(["devices", "mic-1"]);
  });

  it("that cannot be decoded is one where nothing is", () => {
    expect(partsOf("/alerts/%E0%A4%A")).toEqual(["alerts", "%E0%A4%A"]);
  });
});
