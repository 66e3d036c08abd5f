/** The map's own base: land, borders and names, in the page's colours and without any network. */

import type { FeatureCollection } from "geojson";
import type { ExpressionSpecification, LayerSpecification, StyleSpecification } from "maplibre-gl";
import type { Language } from "../format";
import { atlasAddress } from "./atlasAddress";
import {
  SOURCE as STREETS,
  STREET_COLOURS,
  type StreetPalette,
  type Streets,
  streetLayers,
  streetNames,
  streetPaints,
  streetSource,
} from "./streets";

export interface Tiles {
  /** Raster tile address with `{z}/{x}/{y}`; set by whoever runs the city. */
  url: string;
  attribution: string;
}

export interface Palette {
  sea: string;
  land: string;
  county: string;
  town: string;
  village: string;
  name: string;
  halo: string;
  streets: StreetPalette;
}

/** Reads the page's colours, so that map and page change to dark together. */
export function paletteOf(element: Element): Palette {
  const style = getComputedStyle(element);
  const colour = (name: string) => style.getPropertyValue(`--map-${name}`).trim();
  return {
    sea: colour("sea"),
    land: colour("land"),
    county: colour("county"),
    town: colour("town"),
    village: colour("village"),
    name: colour("name"),
    halo: colour("halo"),
    streets: Object.fromEntries(STREET_COLOURS.map((name) => [name, colour(name)])) as Record<
      (typeof STREET_COLOURS)[number],
      string
    >,
  };
}

/** Counties and towns, as points. */
export const NAMES = atlasAddress("names.json");
const NOTHING: FeatureCollection = { type: "FeatureCollection", features: [] };
/** Seen on both grounds. */
const AREA = "#2b7f74";
const HOT = "#b3261e";
const HEAT: ExpressionSpecification = ["coalesce", ["get", "heat"], 0];
/** An area's outline by its heat, as the layer `area-borders` has it. */
export const areaWidth = (heat: number): number => 2.5 + 6 * heat;
export function areaColour(heat: number): string {
  const share = Math.min(1, Math.max(0, heat));
  const part = (colour: string, at: number) => parseInt(colour.slice(at, at + 2), 16);
  const mixed = [1, 3, 5].map((at) =>
    Math.round(part(AREA, at) * (1 - share) + part(HOT, at) * share),
  );
  return `rgb(${mixed.join(", ")})`;
}
export const FONT = [
  "Noto Sans TC",
  "Noto Sans CJK TC",
  "PingFang TC",
  "Microsoft JhengHei",
  "sans-serif",
];

type Paint = [
  layer: string,
  property: "background-color" | "fill-color" | "line-color" | "text-color" | "text-halo-color",
  value: string,
];

/** Which colour goes where; used to build the style and to repaint it. */
export function paints(palette: Palette): Paint[] {
  return [
    ["sea", "background-color", palette.sea],
    ["land", "fill-color", palette.land],
    ...streetPaints(palette.streets, palette.name, palette.halo),
    ["villages", "line-color", palette.village],
    ["towns", "line-color", palette.town],
    ["counties", "line-color", palette.county],
    ...["village-names", "town-names", "county-names", "area-names"].flatMap((layer): Paint[] => [
      [layer, "text-color", palette.name],
      [layer, "text-halo-color", palette.halo],
    ]),
  ];
}

export const nameField = (language: Language): ["get", string] => [
  "get",
  language === "en" ? "en" : "zh",
];
export const NAME_LAYERS = ["village-names", "town-names", "county-names"] as const;

function names(
  id: (typeof NAME_LAYERS)[number],
  source: string,
  zoom: [from: number, to: number],
  size: number,
  opacity: number,
): LayerSpecification {
  return {
    id,
    type: "symbol",
    source,
    minzoom: zoom[0],
    maxzoom: zoom[1],
    filter:
      source === "names"
        ? ["==", ["get", "rank"], id === "county-names" ? "county" : "town"]
        : ["==", ["geometry-type"], "Point"],
    layout: {
      "text-field": nameField("zh-TW"),
      "text-font": FONT,
      "text-size": size,
      "text-letter-spacing": id === "county-names" ? 0.15 : 0.05,
      "text-padding": 12,
    },
    paint: { "text-halo-width": 1.6, "text-opacity": opacity },
  };
}

/** Raster tiles cover everything, so streets of our own are drawn without them only. */
export function baseStyle(tiles: Tiles | null, streets: Streets | null): StyleSpecification {
  const drawn = tiles ? null : streets;
  const own: LayerSpecification[] = [
    { id: "sea", type: "background" },
    { id: "land", type: "fill", source: "counties" },
  ];
  const borders: LayerSpecification[] = [
    {
      id: "villages",
      type: "line",
      source: "villages",
      minzoom: 11,
      filter: ["!=", ["geometry-type"], "Point"],
      paint: { "line-width": 1.2 },
    },
    {
      id: "towns",
      type: "line",
      source: "towns",
      minzoom: 8,
      paint: { "line-width": ["interpolate", ["linear"], ["zoom"], 8, 0.6, 14, 2.4] },
    },
    {
      id: "counties",
      type: "line",
      source: "counties",
      paint: { "line-width": ["interpolate", ["linear"], ["zoom"], 6, 0.8, 14, 3] },
    },
  ];
  const background: LayerSpecification[] = tiles
    ? [{ id: "tiles", type: "raster", source: "tiles" }]
    : [];
  return {
    version: 8,
    sources: {
      counties: { type: "geojson", data: NOTHING },
      towns: { type: "geojson", data: NOTHING },
      villages: { type: "geojson", data: NOTHING },
      names: { type: "geojson", data: drawn ? NOTHING : NAMES },
      path: { type: "geojson", data: NOTHING },
      areas: { type: "geojson", data: NOTHING },
      ...(drawn ? { [STREETS]: streetSource(drawn) } : {}),
      ...(tiles
        ? {
            tiles: {
              type: "raster" as const,
              tiles: [tiles.url],
              tileSize: 256,
              attribution: tiles.attribution,
            },
          }
        : {}),
    },
    layers: [
      ...own,
      ...(drawn ? streetLayers() : []),
      ...borders,
      names("village-names", "villages", [13, 24], 11.5, 0.75),
      names("town-names", "names", [9.5, 13.5], 13, 0.9),
      names("county-names", "names", [6, 11], 14, 1),
      ...(drawn ? streetNames(FONT) : []),
      // Above the own base, which shows where a tile is missing or its server is away.
      ...background,
      {
        id: "areas",
        type: "fill",
        source: "areas",
        filter: ["==", ["geometry-type"], "Polygon"],
        paint: { "fill-color": ["coalesce", ["get", "colour"], AREA], "fill-opacity": 0.14 },
      },
      {
        id: "area-borders",
        type: "line",
        source: "areas",
        filter: ["!=", ["geometry-type"], "Point"],
        layout: { "line-join": "round" },
        paint: {
          "line-color": [
            "coalesce",
            ["get", "colour"],
            ["interpolate", ["linear"], HEAT, 0, AREA, 1, HOT],
          ],
          "line-width": ["+", 2.5, ["*", 6, HEAT]],
        },
      },
      {
        id: "area-corners",
        type: "circle",
        source: "areas",
        filter: ["all", ["==", ["geometry-type"], "Point"], ["!", ["has", "name"]]],
        paint: {
          "circle-radius": 5,
          "circle-color": AREA,
          "circle-stroke-width": 2,
          "circle-stroke-color": "#ffffff",
        },
      },
      {
        id: "area-names",
        type: "symbol",
        source: "areas",
        filter: ["has", "name"],
        layout: { "text-field": ["get", "name"], "text-font": FONT, "text-size": 15 },
        paint: { "text-halo-width": 1.8 },
      },
      {
        id: "path",
        type: "line",
        source: "path",
        layout: { "line-cap": "round", "line-join": "round" },
        paint: { "line-color": "#2f7036", "line-width": 3, "line-dasharray": [0.2, 2] },
      },
    ],
  };
}
