/** Draws the streets' layers on a plain canvas: the same layers in the same colours as the map's
 * library draws, from the same tiles, by some kilobytes instead of several hundred. */

import { VectorTile, type VectorTileFeature } from "@mapbox/vector-tile";
import type { LayerSpecification } from "maplibre-gl";
import { PbfReader } from "pbf";
import type { Area } from "./areas";
import { type Camera, type Placed, type Size, inWindow } from "./camera";
import type { Position } from "../geo";
import { streetLayers, streetName, streetNames } from "./streets";
import { FONT, type Palette, areaColour, areaWidth, paints } from "./style";
import type { Language } from "../format";

/** A tile where it lies in the window. */
export interface Tile extends Placed {
  layers: VectorTile["layers"];
}

export interface Sheet {
  camera: Camera;
  size: Size;
  tiles: readonly Tile[];
  palette: Palette;
  language: Language;
  path: readonly Position[];
  areas: readonly Area[];
}

export const readTile = (placed: Placed, data: Uint8Array): Tile => ({
  ...placed,
  layers: new VectorTile(new PbfReader(data)).layers,
});

const SHAPES = ["Unknown", "Point", "LineString", "Polygon"];
type Asked = Pick<VectorTileFeature, "properties" | "type">;

/** The few expressions that the streets' layers are written in; another one throws. */
export function valueOf(expression: unknown, feature: Asked, zoom: number): unknown {
  if (!Array.isArray(expression)) return expression;
  const [name, ...rest] = expression as [string, ...unknown[]];
  const value = (part: unknown) => valueOf(part, feature, zoom);
  switch (name) {
    case "literal":
      return rest[0];
    case "get":
      return feature.properties[rest[0] as string] ?? null;
    case "has":
      return (rest[0] as string) in feature.properties;
    case "geometry-type":
      return SHAPES[feature.type];
    case "!":
      return !value(rest[0]);
    case "all":
      return rest.every((one) => value(one));
    case "==":
      return value(rest[0]) === value(rest[1]);
    case "in":
      return (value(rest[1]) as unknown[]).includes(value(rest[0]));
    case "coalesce":
      return rest.map(value).find((one) => one !== null) ?? null;
    case "interpolate":
      return interpolated(rest, zoom);
    default:
      throw new Error(`the sheet knows no expression "${name}"`);
  }
}

/** `["exponential", base], ["zoom"], zoom, value, ...` at this zoom. */
function interpolated([curve, , ...stops]: unknown[], zoom: number): number {
  const base = (curve as [string, number])[1];
  const numbers = stops as number[];
  const at = (i: number) => numbers[i] ?? 0;
  if (zoom <= at(0)) return at(1);
  for (let i = 2; i < numbers.length; i += 2) {
    if (zoom >= at(i)) continue;
    const share = (base ** (zoom - at(i - 2)) - 1) / (base ** (at(i) - at(i - 2)) - 1);
    return at(i - 1) + share * (at(i + 1) - at(i - 1));
  }
  return at(numbers.length - 1);
}

type Drawable = LayerSpecification & { type: "fill" | "line" | "symbol" };

/** What a layer takes out of a tile, as rings or lines in the window's pixels. */
function* shapes(
  layer: Drawable,
  tile: Tile,
  zoom: number,
): Generator<[VectorTileFeature, Position[][]]> {
  const from = tile.layers[layer["source-layer"] ?? ""];
  if (!from) return;
  const scale = tile.side / from.extent;
  for (let i = 0; i < from.length; i++) {
    const feature = from.feature(i);
    if (!valueOf(layer.filter, feature, zoom)) continue;
    const lines = feature.loadGeometry();
    yield [
      feature,
      lines.map((line) =>
        line.map(({ x, y }): Position => [tile.left + x * scale, tile.top + y * scale]),
      ),
    ];
  }
}

function trace(pen: CanvasRenderingContext2D, lines: readonly (readonly Position[])[]): void {
  for (const line of lines) line.forEach(([x, y], i) => (i ? pen.lineTo(x, y) : pen.moveTo(x, y)));
}

function drawLayer(
  pen: CanvasRenderingContext2D,
  layer: Drawable,
  { tiles, camera }: Sheet,
  colour: string,
): void {
  const paint = (layer.paint ?? {}) as Record<string, unknown>;
  const width = valueOf(paint["line-width"] ?? 1, { properties: {}, type: 0 }, camera.zoom);
  pen.fillStyle = pen.strokeStyle = colour;
  pen.lineWidth = width as number;
  pen.lineCap = pen.lineJoin = "round";
  const dashes = (paint["line-dasharray"] ?? []) as number[];
  pen.setLineDash(dashes.map((one) => one * pen.lineWidth));
  for (const tile of tiles) {
    pen.save();
    // Tiles reach beyond their edge, so that lines meet; what is drawn ends there.
    pen.beginPath();
    pen.rect(tile.left, tile.top, tile.side, tile.side);
    pen.clip();
    pen.beginPath();
    for (const [, lines] of shapes(layer, tile, camera.zoom)) trace(pen, lines);
    if (layer.type === "fill") pen.fill("evenodd");
    else pen.stroke();
    pen.restore();
  }
  pen.setLineDash([]);
}

interface Written {
  x: number;
  y: number;
  reach: number;
}

/** The longest straight piece of some lines. */
function straightest(lines: readonly (readonly Position[])[]): [Position, Position, number] | null {
  let best: [Position, Position, number] | null = null;
  for (const line of lines) {
    line.slice(1).forEach((end, i) => {
      const start = line[i] ?? end;
      const length = Math.hypot(end[0] - start[0], end[1] - start[1]);
      if (!best || length > best[2]) best = [start, end, length];
    });
  }
  return best;
}

/** Each name once, along a straight piece that is long enough for it and clear of other names. */
function drawNames(
  pen: CanvasRenderingContext2D,
  layer: Drawable,
  sheet: Sheet,
  written: Map<string, Written>,
): void {
  const { width, height } = sheet.size;
  for (const tile of sheet.tiles) {
    for (const [feature, lines] of shapes(layer, tile, sheet.camera.zoom)) {
      const name = String(valueOf(streetName(sheet.language), feature, sheet.camera.zoom) ?? "");
      const piece = straightest(lines);
      if (!piece || name === "" || written.has(name)) continue;
      const [[ax, ay], [bx, by], length] = piece;
      const wide = pen.measureText(name).width;
      const [x, y, reach] = [(ax + bx) / 2, (ay + by) / 2, wide / 2 + 6];
      const inside = x > reach && y > reach && x < width - reach && y < height - reach;
      const clear = [...written.values()].every(
        (one) => Math.hypot(one.x - x, one.y - y) > one.reach + reach,
      );
      if (length < wide || !inside || !clear) continue;
      written.set(name, { x, y, reach });
      const angle = Math.atan2(by - ay, bx - ax);
      pen.save();
      pen.translate(x, y);
      // Never upside down.
      pen.rotate(Math.abs(angle) > Math.PI / 2 ? angle + Math.PI : angle);
      pen.strokeText(name, 0, 0);
      pen.fillText(name, 0, 0);
      pen.restore();
    }
  }
}

/** The page's own: outlined parts and the way, as the map shows them. */
function drawOwn(pen: CanvasRenderingContext2D, { camera, areas, path }: Sheet): void {
  const placed = (line: readonly Position[]) => line.map((one) => inWindow(camera, one));
  for (const { corners, colour, open, heat = 0, holes = [] } of areas) {
    pen.beginPath();
    trace(pen, [corners, ...holes].map(placed));
    if (!open) pen.closePath();
    pen.fillStyle = colour ?? areaColour(0);
    pen.strokeStyle = colour ?? areaColour(heat);
    pen.lineWidth = areaWidth(heat);
    pen.globalAlpha = 0.14;
    if (!open) pen.fill("evenodd");
    pen.globalAlpha = 1;
    pen.stroke();
  }
  pen.beginPath();
  trace(pen, [placed(path)]);
  pen.strokeStyle = "#2f7036";
  pen.lineWidth = 3;
  pen.setLineDash([0.6, 6]);
  pen.stroke();
  pen.setLineDash([]);
}

export function drawSheet(pen: CanvasRenderingContext2D, sheet: Sheet): void {
  const { size, palette, camera } = sheet;
  const colours = new Map(
    paints(palette)
      .filter(([, property]) => property !== "text-halo-color")
      .map(([layer, , value]) => [layer, value]),
  );
  const seen = (layer: LayerSpecification): layer is Drawable =>
    (layer.minzoom ?? 0) <= camera.zoom && layer.type !== "background";
  pen.fillStyle = palette.land;
  pen.fillRect(0, 0, size.width, size.height);
  for (const layer of streetLayers().filter(seen)) {
    drawLayer(pen, layer, sheet, colours.get(layer.id) ?? palette.name);
  }
  pen.font = `12px ${FONT.map((one) => `"${one}"`).join(", ")}, sans-serif`;
  pen.textAlign = "center";
  pen.textBaseline = "middle";
  pen.lineJoin = "round";
  pen.lineWidth = 3.2;
  pen.strokeStyle = palette.halo;
  pen.fillStyle = palette.name;
  const written = new Map<string, Written>();
  // Names of places come with the map itself: here they would cover the streets' own.
  for (const layer of streetNames(FONT).filter(seen)) {
    if (layer.id !== "place-names") drawNames(pen, layer, sheet, written);
  }
  drawOwn(pen, sheet);
}
