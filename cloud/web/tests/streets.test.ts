/** The sheet of the streets: a style that the map's library takes, with a colour for each layer. */

import { validateStyleMin } from "@maplibre/maplibre-gl-style-spec";
import { expect, test, vi } from "vitest";

vi.stubGlobal("location", { origin: "https://city.example" });

const { baseStyle, paints } = await import("../src/lib/map/style");
const { STREET_COLOURS, STREET_NAME_LAYERS, streetLayers, streetName } =
  await import("../src/lib/map/streets");

const STREETS = {
  url: "/api/v1/maps/0a.pmtiles",
  attribution: "The city",
  bounds: [120.4, 23.4, 120.5, 23.5] as [number, number, number, number],
  min_zoom: 8,
  max_zoom: 14,
};
const PALETTE = {
  ...{ sea: "#000001", land: "#000002", county: "#000003", town: "#000004" },
  ...{ village: "#000005", name: "#000006", halo: "#000007" },
  streets: Object.fromEntries(STREET_COLOURS.map((one, i) => [one, `#0000${10 + i}`])) as Record<
    (typeof STREET_COLOURS)[number],
    string
  >,
};

test.each([
  ["streets", null, STREETS],
  ["nothing", null, null],
  ["raster tiles", { url: "https://tiles.example/{z}/{x}/{y}.png", attribution: "x" }, STREETS],
])("the style with %s is one", (_name, tiles, streets) => {
  const style = baseStyle(tiles, streets);
  expect(validateStyleMin(style as never).map((one) => one.message)).toEqual([]);
  expect("streets" in style.sources).toBe(tiles === null && streets !== null);
});

test("every layer of the streets has its colour, and no colour is of a layer that is not there", () => {
  const style = baseStyle(null, STREETS);
  const painted = new Set(paints(PALETTE).map(([layer]) => layer));
  const drawn = style.layers.map((layer) => layer.id);
  expect(streetLayers().filter((layer) => !painted.has(layer.id))).toEqual([]);
  expect([...painted].filter((layer) => !drawn.includes(layer))).toEqual([]);
});

test("tiles are read out of the one file, by its whole address", () => {
  const source = baseStyle(null, STREETS).sources["streets"];
  expect(source).toMatchObject({
    type: "vector",
    tiles: ["pmtiles://https://city.example/api/v1/maps/0a.pmtiles/{z}/{x}/{y}"],
    maxzoom: 14,
    attribution: "The city",
  });
});

test("names are in the reader's language, and as spoken there where it has none", () => {
  expect(streetName("en")).toEqual(["coalesce", ["get", "name:en"], ["get", "name"]]);
  expect(streetName("zh-TW")).toEqual(["coalesce", ["get", "name:zh-Hant"], ["get", "name"]]);
  const ids = baseStyle(null, STREETS).layers.map((layer) => layer.id);
  for (const layer of STREET_NAME_LAYERS) expect(ids).toContain(layer);
});

test("streets lie on land and under borders, marks' areas and ways", () => {
  const ids = baseStyle(null, STREETS).layers.map((layer) => layer.id);
  const order = [
    "land",
    "greens",
    "streams",
    "highways",
    "villages",
    "street-names",
    "areas",
    "path",
  ];
  const places = order.map((id) => ids.indexOf(id));
  expect(places).not.toContain(-1);
  expect(places).toEqual([...places].sort((a, b) => a - b));
});
