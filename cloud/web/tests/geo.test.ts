import { describe, expect, it } from "vitest";
import {
  boxAround,
  distance,
  metresPerPixel,
  overlaps,
  positionOf,
  spread,
  type Position,
} from "../src/lib/geo";

const CHIAYI: Position = [120.44, 23.48];

describe("positions", () => {
  it("have both coordinates or are none", () => {
    expect(positionOf({ latitude: 23.48, longitude: 120.44 })).toEqual(CHIAYI);
    expect(positionOf({ latitude: null, longitude: 120.44 })).toBeNull();
  });

  it("lie a degree of latitude 111.2 km apart", () => {
    expect(distance(CHIAYI, [120.44, 24.48])).toBeCloseTo(111_195, -1);
    expect(distance(CHIAYI, CHIAYI)).toBe(0);
  });
});

describe("the scale", () => {
  it("halves with each zoom, and is 78 km a pixel at the equator for zoom 0", () => {
    expect(metresPerPixel(0, 0)).toBeCloseTo(78_271.5, 0);
    expect(metresPerPixel(1, 60)).toBeCloseTo(78_271.5 / 4, 0);
  });
});

describe("boxes", () => {
  it("hold every position", () => {
    expect(boxAround([])).toBeNull();
    expect(boxAround([CHIAYI, [120.4, 23.5], [120.5, 23.4]])).toEqual([120.4, 23.4, 120.5, 23.5]);
  });

  it("overlap where they touch", () => {
    expect(overlaps([0, 0, 1, 1], [1, 1, 2, 2])).toBe(true);
    expect(overlaps([0, 0, 1, 1], [1.1, 0, 2, 1])).toBe(false);
  });
});

describe("spreading", () => {
  it("leaves what stands apart where it is", () => {
    const far: Position[] = [CHIAYI, [120.45, 23.48]];
    expect(spread(far, 14)).toEqual(far);
  });

  it("puts what coincides around its place, the right way from it, in order", () => {
    const moved = spread([CHIAYI, CHIAYI, [120.5, 23.5], CHIAYI], 14);
    expect(moved[2]).toEqual([120.5, 23.5]);
    for (const i of [0, 1, 3]) {
      expect(distance(CHIAYI, moved[i] ?? CHIAYI)).toBeCloseTo(14, 0);
    }
    expect(distance(moved[0] ?? CHIAYI, moved[1] ?? CHIAYI)).toBeGreaterThan(14);
  });
});
