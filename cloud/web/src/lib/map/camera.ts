/** Where the map's library looks when it is given a box: worked out as it does (Web Mercator, tiles
 * of 512 pixels), so that what is drawn before it comes lies where it will draw it. */

import type { Box, Position } from "../geo";

export const TILE_PX = 512;

export interface Size {
  width: number;
  height: number;
}

export interface Padding {
  top: number;
  right: number;
  bottom: number;
  left: number;
}

export interface Camera {
  zoom: number;
  /** The window's upper left corner on the sheet of this zoom, in pixels. */
  x: number;
  y: number;
}

/** On the sheet of the whole world, 0 to 1 from the west and from the north. */
export function onSheet([longitude, latitude]: Position): [x: number, y: number] {
  const sine = Math.sin((latitude * Math.PI) / 180);
  return [longitude / 360 + 0.5, 0.5 - Math.log((1 + sine) / (1 - sine)) / (4 * Math.PI)];
}

/** `null` where the window has no room within its padding. */
export function cameraOf(
  [west, south, east, north]: Box,
  { width, height }: Size,
  padding: Padding,
  maxZoom: number,
): Camera | null {
  const [left, top] = onSheet([west, north]);
  const [right, bottom] = onSheet([east, south]);
  const room = {
    x: width - padding.left - padding.right,
    y: height - padding.top - padding.bottom,
  };
  if (room.x <= 0 || room.y <= 0) return null;
  // A single place needs no room at all: as near as is allowed.
  const scale = Math.min(room.x / (right - left), room.y / (bottom - top)) / TILE_PX;
  const zoom = Math.min(Math.log2(scale), maxZoom);
  const size = TILE_PX * 2 ** zoom;
  return {
    zoom,
    x: ((left + right) / 2) * size - padding.left - room.x / 2,
    y: ((top + bottom) / 2) * size - padding.top - room.y / 2,
  };
}

/** Where a position lies in the window, in pixels. */
export function inWindow(camera: Camera, position: Position): [x: number, y: number] {
  const size = TILE_PX * 2 ** camera.zoom;
  const [x, y] = onSheet(position);
  return [x * size - camera.x, y * size - camera.y];
}

export interface Placed {
  z: number;
  x: number;
  y: number;
  /** In the window: its upper left corner and its side, in pixels. */
  left: number;
  top: number;
  side: number;
}

/** The tiles that are seen, at the whole zoom that the map's library takes for them. */
export function tilesIn(camera: Camera, { width, height }: Size, maxTileZoom: number): Placed[] {
  const z = Math.max(0, Math.min(Math.floor(camera.zoom), maxTileZoom));
  const side = TILE_PX * 2 ** (camera.zoom - z);
  const last = 2 ** z - 1;
  const range = (from: number, length: number): number[] => {
    const first = Math.max(0, Math.floor(from / side));
    const end = Math.min(last, Math.floor((from + length) / side));
    return Array.from({ length: Math.max(0, end - first + 1) }, (_, i) => first + i);
  };
  return range(camera.y, height).flatMap((y) =>
    range(camera.x, width).map((x) => ({
      ...{ z, x, y, side },
      left: x * side - camera.x,
      top: y * side - camera.y,
    })),
  );
}
