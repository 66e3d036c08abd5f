/** The city's own streets, in the layers of Protomaps' basemap, drawn in the page's colours. */

import type {
  ExpressionSpecification,
  LayerSpecification,
  VectorSourceSpecification,
} from "maplibre-gl";
import type { Screen } from "../api/model";
import type { Language } from "../format";

/** A file of tiles that the server sends in ranges, and whom to name for it. */
export type Streets = NonNullable<Screen["streets"]>;

export const SOURCE = "streets";
export const SCHEME = "pmtiles";

export interface StreetPalette {
  green: string;
  ground: string;
  stream: string;
  building: string;
  casing: string;
  road: string;
  major: string;
  rail: string;
  path: string;
}

/** Names of the page's colours, in the order of `StreetPalette`. */
export const STREET_COLOURS = [
  "green",
  "ground",
  "stream",
  "building",
  "casing",
  "road",
  "major",
  "rail",
  "path",
] as const satisfies readonly (keyof StreetPalette)[];

export const STREET_NAME_LAYERS = ["street-names", "stream-names", "place-names"] as const;

/** As spoken there where a language has no name of its own. */
export const streetName = (language: Language): ExpressionSpecification =>
  language === "en"
    ? ["coalesce", ["get", "name:en"], ["get", "name"]]
    : ["coalesce", ["get", "name:zh-Hant"], ["get", "name"]];

export function streetSource(streets: Streets): VectorSourceSpecification {
  const file = new URL(streets.url, location.origin).href;
  return {
    type: "vector",
    tiles: [`${SCHEME}://${file}/{z}/{x}/{y}`],
    bounds: streets.bounds,
    minzoom: streets.min_zoom,
    maxzoom: streets.max_zoom,
    attribution: streets.attribution,
  };
}

const GREEN = [
  ...["park", "garden", "forest", "wood", "grass", "grassland", "scrub", "cemetery", "pitch"],
  ...["playground", "golf_course", "nature_reserve", "recreation_ground", "farmland", "orchard"],
];
const GROUND = ["school", "university", "college", "hospital", "industrial"];

/** Places by which people find their way; not every shop. */
const PLACES = [
  ...["hospital", "clinic", "school", "university", "college", "police", "fire_station"],
  ...["townhall", "place_of_worship", "marketplace", "library", "bus_station", "station"],
  ...["train_station", "halt", "park"],
];

const kindIs = (...kinds: string[]): ExpressionSpecification => [
  "in",
  ["get", "kind"],
  ["literal", kinds],
];
const shapeIs = (shape: string): ExpressionSpecification => ["==", ["geometry-type"], shape];

/** Pixels at these zooms, twice as wide with every further zoom. */
type Width = [zoom: number, pixels: number];
const width = (first: Width, ...stops: Width[]): ExpressionSpecification => [
  "interpolate",
  ["exponential", 1.6],
  ["zoom"],
  ...first,
  ...stops.flat(),
];

const ROADS: readonly {
  name: string;
  kinds: string[];
  from: number;
  widths: [Width, ...Width[]];
}[] = [
  {
    name: "minor-roads",
    kinds: ["minor_road"],
    from: 12,
    widths: [
      [12, 0.4],
      [14, 2],
      [18, 18],
    ],
  },
  {
    name: "major-roads",
    kinds: ["major_road"],
    from: 8,
    widths: [
      [8, 0.4],
      [12, 1.6],
      [14, 4],
      [18, 28],
    ],
  },
  {
    name: "highways",
    kinds: ["highway"],
    from: 6,
    widths: [
      [6, 0.5],
      [12, 2.4],
      [14, 5],
      [18, 32],
    ],
  },
];
const CASING_PX = 1.6;
const widened = ([first, ...rest]: [Width, ...Width[]]): [Width, ...Width[]] => [
  [first[0], first[1] + CASING_PX],
  ...rest.map(([zoom, pixels]): Width => [zoom, pixels + CASING_PX]),
];

type Drawn = "fill" | "line";

function areas(id: string, layer: string, filter: ExpressionSpecification, from: number) {
  return {
    id,
    type: "fill" as const,
    source: SOURCE,
    "source-layer": layer,
    filter: ["all", shapeIs("Polygon"), filter] as ExpressionSpecification,
    minzoom: from,
  };
}

function lines(
  id: string,
  layer: string,
  filter: ExpressionSpecification,
  from: number,
  widths: ExpressionSpecification,
): LayerSpecification & { type: "line" } {
  return {
    id,
    type: "line",
    source: SOURCE,
    "source-layer": layer,
    filter: ["all", shapeIs("LineString"), filter],
    minzoom: from,
    layout: { "line-cap": "round", "line-join": "round" },
    paint: { "line-width": widths },
  };
}

const ANY: ExpressionSpecification = ["literal", true];

/** Everything but the names: it lies under the borders. */
export function streetLayers(): LayerSpecification[] {
  const dashed = lines("paths", "roads", kindIs("path"), 14, width([14, 0.8], [18, 4]));
  return [
    areas("grounds", "landuse", kindIs(...GROUND), 11),
    areas("greens", "landuse", kindIs(...GREEN), 10),
    areas("waters", "water", ANY, 6),
    lines("streams", "water", ANY, 9, width([9, 0.6], [14, 2.5], [18, 14])),
    areas("buildings", "buildings", ANY, 15),
    { ...dashed, paint: { ...dashed.paint, "line-dasharray": [1.5, 1.2] } },
    ...ROADS.map(({ name, kinds, from, widths }) =>
      lines(
        `${name}-casing`,
        "roads",
        kindIs(...kinds),
        Math.max(from, 11),
        width(...widened(widths)),
      ),
    ),
    lines("rails", "roads", kindIs("rail"), 10, width([10, 0.6], [18, 4])),
    ...ROADS.map(({ name, kinds, from, widths }) =>
      lines(name, "roads", kindIs(...kinds), from, width(...widths)),
    ),
  ];
}

/** Names along streets and waters and of places: under the marks, above everything else. */
export function streetNames(font: string[]): LayerSpecification[] {
  const along = (id: string, layer: string, filter: ExpressionSpecification, from: number) =>
    ({
      id,
      type: "symbol",
      source: SOURCE,
      "source-layer": layer,
      filter: ["all", shapeIs("LineString"), filter, ["has", "name"]],
      minzoom: from,
      layout: {
        "symbol-placement": "line",
        "text-field": streetName("zh-TW"),
        "text-font": font,
        "text-size": 12,
        "text-padding": 6,
      },
      paint: { "text-halo-width": 1.6 },
    }) satisfies LayerSpecification;
  return [
    along("street-names", "roads", ["!", kindIs("rail", "path")], 13),
    along("stream-names", "water", ANY, 13),
    {
      id: "place-names",
      type: "symbol",
      source: SOURCE,
      "source-layer": "pois",
      filter: ["all", kindIs(...PLACES), ["has", "name"]],
      minzoom: 15,
      layout: {
        "text-field": streetName("zh-TW"),
        "text-font": font,
        "text-size": 11.5,
        "text-padding": 8,
        "text-max-width": 8,
      },
      paint: { "text-halo-width": 1.6, "text-opacity": 0.9 },
    },
  ];
}

type Paint = [
  layer: string,
  property: `${Drawn}-color` | "text-color" | "text-halo-color",
  value: string,
];

/** Which colour goes where. */
export function streetPaints(palette: StreetPalette, name: string, halo: string): Paint[] {
  return [
    ["grounds", "fill-color", palette.ground],
    ["greens", "fill-color", palette.green],
    ["waters", "fill-color", palette.stream],
    ["streams", "line-color", palette.stream],
    ["buildings", "fill-color", palette.building],
    ["paths", "line-color", palette.path],
    ["rails", "line-color", palette.rail],
    ...ROADS.flatMap(({ name: road }): Paint[] => [
      [`${road}-casing`, "line-color", palette.casing],
      [road, "line-color", road === "minor-roads" ? palette.road : palette.major],
    ]),
    ...STREET_NAME_LAYERS.flatMap((layer): Paint[] => [
      [layer, "text-color", name],
      [layer, "text-halo-color", halo],
    ]),
  ];
}
