/** Parts of the city that are outlined on the map. */

import type { Feature, FeatureCollection } from "geojson";
import type { Position } from "../geo";

export interface Area {
  /** Written inside; empty while it is being drawn, when its corners are shown instead. */
  name: string;
  corners: readonly Position[];
  /** Not closed: a way, such as a canal. */
  open?: boolean;
  /** How much of something is in it, 0 to 1: wider and redder. */
  heat?: number;
  /** The map is not made so wide that all of it is seen. */
  beyond?: boolean;
  /** Parts of it that do not belong to it. */
  holes?: readonly (readonly Position[])[];
  /** Any colour of CSS in place of the usual one. */
  colour?: string;
  /** One of many: neither a name nor its corners are shown. */
  quiet?: boolean;
}

const FEWEST = 3;

const point = (position: Position, properties: Record<string, string>): Feature => ({
  type: "Feature",
  properties,
  geometry: { type: "Point", coordinates: [...position] },
});

/** The middle of the corners: good enough for a name. */
function middle(corners: readonly Position[]): Position {
  const sum = corners.reduce<Position>((all, one) => [all[0] + one[0], all[1] + one[1]], [0, 0]);
  return [sum[0] / corners.length, sum[1] / corners.length];
}

const closed = (corners: readonly Position[]): number[][] => [
  ...corners.map((one) => [...one]),
  [...(corners[0] ?? [])],
];

function features({ name, corners, open, heat, holes, colour, quiet }: Area): Feature[] {
  const [first] = corners;
  if (!first) return [];
  const ring = corners.map((one) => [...one]);
  const properties = {
    ...(heat === undefined ? {} : { heat }),
    ...(colour ? { colour } : {}),
  };
  const shape: Feature[] =
    open || corners.length < FEWEST
      ? [{ type: "Feature", properties, geometry: { type: "LineString", coordinates: ring } }]
      : [
          {
            type: "Feature",
            properties,
            geometry: {
              type: "Polygon",
              coordinates: [closed(corners), ...(holes ?? []).map(closed)],
            },
          },
        ];
  if (quiet) return corners.length > 1 ? shape : [];
  const labels = name ? [point(middle(corners), { name })] : corners.map((one) => point(one, {}));
  return [...(corners.length > 1 ? shape : []), ...labels];
}

export const featuresOf = (areas: readonly Area[]): FeatureCollection => ({
  type: "FeatureCollection",
  features: areas.flatMap(features),
});
