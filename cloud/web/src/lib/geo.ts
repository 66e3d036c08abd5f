/** Geometry on the sphere, as much as a city needs. Longitude first, as in GeoJSON. */

export type Position = [longitude: number, latitude: number];
export type Box = [west: number, south: number, east: number, north: number];

export interface Placed {
  latitude: number | null;
  longitude: number | null;
}

export function positionOf(item: Placed): Position | null {
  return item.latitude === null || item.longitude === null ? null : [item.longitude, item.latitude];
}

/** The smallest box around some positions, `null` without any; not made for the date line. */
export function boxAround(positions: readonly Position[]): Box | null {
  if (positions.length === 0) return null;
  let box: Box = [Infinity, Infinity, -Infinity, -Infinity];
  for (const [lon, lat] of positions) {
    box = [
      Math.min(box[0], lon),
      Math.min(box[1], lat),
      Math.max(box[2], lon),
      Math.max(box[3], lat),
    ];
  }
  return box;
}

export function overlaps(a: Box, b: Box): boolean {
  return a[0] <= b[2] && b[0] <= a[2] && a[1] <= b[3] && b[1] <= a[3];
}

/** Metres that one pixel shows in Web Mercator with tiles of 512 pixels, as MapLibre counts zoom. */
export function metresPerPixel(zoom: number, latitude: number): number {
  return (2 * Math.PI * 6_378_137 * Math.cos((latitude * Math.PI) / 180)) / (512 * 2 ** zoom);
}

const EARTH_RADIUS_M = 6_371_008.8;

/** Great-circle distance in metres. */
export function distance(a: Position, b: Position): number {
  const rad = Math.PI / 180;
  const dLat = (b[1] - a[1]) * rad;
  const dLon = (b[0] - a[0]) * rad;
  const h =
    Math.sin(dLat / 2) ** 2 + Math.cos(a[1] * rad) * Math.cos(b[1] * rad) * Math.sin(dLon / 2) ** 2;
  return 2 * EARTH_RADIUS_M * Math.asin(Math.min(1, Math.sqrt(h)));
}

/**
 * Moves markers that would lie on top of each other onto a small ring around their place,
 * so that each can be clicked. Order in, order out.
 */
export function spread(positions: readonly Position[], nearer_m: number): Position[] {
  const groups: number[][] = [];
  positions.forEach((position, i) => {
    const group = groups.find((members) => {
      const first = positions[members[0] ?? 0];
      return first !== undefined && distance(first, position) < nearer_m;
    });
    if (group) group.push(i);
    else groups.push([i]);
  });
  const moved = [...positions];
  for (const group of groups) {
    if (group.length < 2) continue;
    group.forEach((i, k) => {
      const from = positions[i];
      if (!from) return;
      const angle = (2 * Math.PI * k) / group.length;
      const reach = nearer_m / 111_320;
      moved[i] = [
        from[0] + (reach * Math.sin(angle)) / Math.cos((from[1] * Math.PI) / 180),
        from[1] + reach * Math.cos(angle),
      ];
    });
  }
  return moved;
}

/** A closed line of points at this distance around a place, on the sphere. */
export function circle(centre: Position, radius_m: number, corners = 72): Position[] {
  const rad = Math.PI / 180;
  const angle = radius_m / EARTH_RADIUS_M;
  const lat = centre[1] * rad;
  return Array.from({ length: corners + 1 }, (_, i): Position => {
    const bearing = (2 * Math.PI * (i % corners)) / corners;
    const there = Math.asin(
      Math.sin(lat) * Math.cos(angle) + Math.cos(lat) * Math.sin(angle) * Math.cos(bearing),
    );
    const east = Math.atan2(
      Math.sin(bearing) * Math.sin(angle) * Math.cos(lat),
      Math.cos(angle) - Math.sin(lat) * Math.sin(there),
    );
    return [centre[0] + east / rad, there / rad];
  });
}
