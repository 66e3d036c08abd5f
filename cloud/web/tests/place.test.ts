import { describe, expect, it } from "vitest";
import { readPosition } from "../src/lib/map/place";

describe("a position that is typed", () => {
  it("is read, longitude first", () => {
    expect(readPosition(" 23.48", "120.44 ")).toEqual([120.44, 23.48]);
    expect(readPosition("-90", "180")).toEqual([180, -90]);
  });

  it.each([
    ["", "120"],
    ["23", " "],
    ["91", "120"],
    ["23", "181"],
    ["23,4", "120"],
    ["north", "120"],
    ["Infinity", "0"],
  ])("is none: %s, %s", (latitude, longitude) => {
    expect(readPosition(latitude, longitude)).toBeNull();
  });
});
