/** The map's first picture: where it looks, which tiles it takes, and what it draws of them. */

import { expression, latest } from "@maplibre/maplibre-gl-style-spec";
import { PbfWriter } from "pbf";
import { expect, test, vi } from "vitest";
import type { Box } from "../src/lib/geo";
import { cameraOf, inWindow, onSheet, tilesIn } from "../src/lib/map/camera";

vi.stubGlobal("location", { origin: "https://city.example" });
const { readTile, valueOf } = await import("../src/lib/map/sheet");
const { areaColour, areaWidth, baseStyle } = await import("../src/lib/map/style");
const { streetLayers, streetName, streetNames } = await import("../src/lib/map/streets");

const PADDING = { top: 72, right: 88, bottom: 48, left: 48 };
const SIZE = { width: 360, height: 280 };
const CITY: Box = [120.42, 23.46, 120.47, 23.5];

test("a box lies within the padding and touches it, its middle in the middle of what is left", () => {
  const camera = cameraOf(CITY, SIZE, PADDING, 15.5);
  if (!camera) throw new Error("no camera");
  const [left, top] = inWindow(camera, [CITY[0], CITY[3]]);
  const [right, bottom] = inWindow(camera, [CITY[2], CITY[1]]);
  expect((left + right) / 2).toBeCloseTo((48 + 360 - 88) / 2, 6);
  expect((top + bottom) / 2).toBeCloseTo((72 + 280 - 48) / 2, 6);
  expect(Math.max((right - left) / 224, (bottom - top) / 160)).toBeCloseTo(1, 6);
});

test("a single place is seen as near as is allowed; without room there is no picture", () => {
  const place: Box = [120.44, 23.48, 120.44, 23.48];
  expect(cameraOf(place, SIZE, PADDING, 15.5)?.zoom).toBe(15.5);
  expect(cameraOf(place, { width: 100, height: 280 }, PADDING, 15.5)).toBeNull();
});

test.each([11, 14, 15])("tiles cover the window, also beyond the file's last zoom (%i)", (last) => {
  const camera = cameraOf(CITY, SIZE, PADDING, 15.5);
  if (!camera) throw new Error("no camera");
  const tiles = tilesIn(camera, SIZE, last);
  expect(new Set(tiles.map((one) => one.z))).toEqual(
    new Set([Math.min(last, Math.floor(camera.zoom))]),
  );
  for (const [x, y] of [
    [0, 0],
    [359, 0],
    [0, 279],
    [359, 279],
  ] as const) {
    const under = tiles.filter(
      ({ left, top, side }) => left <= x && x < left + side && top <= y && y < top + side,
    );
    expect(under).toHaveLength(1);
  }
  const [first] = tiles;
  if (!first) throw new Error("no tile");
  // Its corner is where the sheet has it.
  const [x] = onSheet([120.44, 23.48]);
  const [inside] = inWindow(camera, [120.44, 23.48]);
  expect(inside).toBeCloseTo(first.left + (x * 2 ** first.z - first.x) * first.side, 4);
});

/** A tile of one layer `roads` with one line, as the file has it. */
function tile(properties: Record<string, string>): Uint8Array {
  const names = Object.keys(properties);
  const feature = (_: unknown, pbf: PbfWriter) => {
    pbf.writePackedVarint(
      2,
      names.flatMap((_name, i) => [i, i]),
    );
    pbf.writeVarintField(3, 2);
    // Move to (0, 0), then a line to (4096, 0): counts and commands, distances in zigzag.
    pbf.writePackedVarint(4, [9, 0, 0, 10, 8192, 0]);
  };
  const layer = (_: unknown, pbf: PbfWriter) => {
    pbf.writeVarintField(15, 2);
    pbf.writeStringField(1, "roads");
    pbf.writeMessage(2, feature, null);
    for (const name of names) pbf.writeStringField(3, name);
    for (const name of names) {
      pbf.writeMessage(4, (_value, value) => value.writeStringField(1, properties[name] ?? ""), 0);
    }
    pbf.writeVarintField(5, 4096);
  };
  const pbf = new PbfWriter();
  pbf.writeMessage(3, layer, null);
  return pbf.finish();
}
const PLACED = { z: 14, x: 1, y: 1, left: 0, top: 0, side: 512 };
const roadOf = (properties: Record<string, string>) => {
  const feature = readTile(PLACED, tile(properties)).layers["roads"]?.feature(0);
  if (!feature) throw new Error("no road");
  return feature;
};

test("every layer of the streets is understood: its filter, and its width at each zoom", () => {
  const road = roadOf({ kind: "major_road", name: "Zhongshan Road" });
  const taken = [...streetLayers(), ...streetNames(["x"])].filter((layer) => {
    if (layer.type === "background") return false;
    for (let zoom = 5; zoom <= 18; zoom += 0.5) {
      if (layer.type !== "line") continue;
      const width = valueOf(layer.paint?.["line-width"] ?? 1, road, zoom);
      expect(width).toBeGreaterThan(0);
    }
    const of = "source-layer" in layer && layer["source-layer"] === "roads";
    return "filter" in layer && valueOf(layer.filter, road, 14) === true && of;
  });
  expect(taken.map((layer) => layer.id)).toEqual([
    "major-roads-casing",
    "major-roads",
    "street-names",
  ]);
});

test("widths grow as the map's library has them grow", () => {
  const width = ["interpolate", ["exponential", 1.6], ["zoom"], 12, 2, 14, 6, 18, 20];
  const at = (zoom: number) => valueOf(width, roadOf({}), zoom);
  expect([at(10), at(12), at(14), at(18), at(20)]).toEqual([2, 2, 6, 20, 20]);
  expect(at(13)).toBeCloseTo(2 + (0.6 / 1.56) * 4, 9);
});

test("names are in the reader's language; what no layer is written in is refused", () => {
  const road = roadOf({ name: "中山路", "name:en": "Zhongshan Road" });
  expect(valueOf(streetName("en"), road, 14)).toBe("Zhongshan Road");
  expect(valueOf(streetName("zh-TW"), road, 14)).toBe("中山路");
  expect(() => valueOf(["slice", "x", 1], road, 14)).toThrow('"slice"');
});

test("an empty tile has nothing", () => {
  expect(readTile(PLACED, new Uint8Array(0)).layers).toEqual({});
});

test.each([0, 0.3, 0.5, 1])("an area of heat %f is as the map's library has it", (heat) => {
  const layer = baseStyle(null, null).layers.find((one) => one.id === "area-borders");
  if (layer?.type !== "line") throw new Error("no such layer");
  const by = (property: "line-color" | "line-width") => {
    const read = expression.createExpression(
      layer.paint?.[property],
      property,
      latest.paint_line[property] as never,
    );
    if (read.result === "error") throw new Error(property, { cause: read.value });
    return read.value.evaluate({ zoom: 14 }, { type: 2, properties: { heat } }) as unknown;
  };
  expect(areaWidth(heat)).toBeCloseTo(by("line-width") as number, 9);
  const { r, g, b } = by("line-color") as Record<"r" | "g" | "b", number>;
  const mixed = [r, g, b].map((part) => Math.round(part * 255));
  expect(areaColour(heat)).toBe(`rgb(${mixed.join(", ")})`);
});
