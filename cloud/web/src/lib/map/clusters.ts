/** Many marks drawn as few: those that would lie on each other become one with their number. */

import type { DeviceState } from "../api/model";
import { type Box, type Position, overlaps } from "../geo";
import { type Mark, worse } from "./marker";

/** As many marks a map draws one by one. */
export const SINGLE = 200;
/** From this zoom on every mark in view is drawn: houses are apart, and one cannot come nearer. */
export const APART_ZOOM = 17;
/** So many critical alerts stand alone whatever lies beside them. */
export const CRITICAL = 50;
const CELL_PX = 64;
const TILE_PX = 512;
/** Beyond what is seen, in parts of it, so that marks are there while the map is moved. */
const MARGIN = 0.25;
const WORST: readonly DeviceState[] = ["failed", "offline", "degraded", "unknown"];

/** Marks in one cell; a press goes nearer to them. */
export interface Cluster extends Mark {
  count: number;
}

export const isCluster = (mark: Mark): mark is Cluster => mark.count !== undefined;

/** What is drawn of these marks. `view` is the seen part of the map, `null` while that is unknown;
 * what is selected, and what a life may hang on, stays by itself. */
export function clustered(
  marks: readonly Mark[],
  zoom: number,
  view: Box | null,
  selected: string | null,
  label: (count: number) => string,
): Mark[] {
  if (marks.length <= SINGLE) return [...marks];
  const seen = view === null ? marks : marks.filter((mark) => within(mark.position, wider(view)));
  if (zoom >= APART_ZOOM || seen.length <= SINGLE) return [...seen];
  const critical = seen.filter((mark) => mark.severity === "critical");
  const alone = new Set(critical.slice(0, CRITICAL).map((mark) => mark.id));
  const cells = new Map<string, Mark[]>();
  const found: Mark[] = [];
  for (const mark of seen) {
    if (mark.id === selected || alone.has(mark.id)) {
      found.push(mark);
      continue;
    }
    const cell = cellOf(mark.position, zoom);
    const there = cells.get(cell);
    if (there) there.push(mark);
    else cells.set(cell, [mark]);
  }
  for (const [cell, members] of cells) {
    const [first] = members;
    if (first === undefined) continue;
    found.push(members.length === 1 ? first : together(cell, first, members, label));
  }
  return found;
}

function together(
  cell: string,
  first: Mark,
  members: readonly Mark[],
  label: (count: number) => string,
): Cluster {
  const count = members.length;
  const sum = members.reduce<Position>(
    ([x, y], { position }) => [x + position[0], y + position[1]],
    [0, 0],
  );
  const severity = members.reduce<Mark["severity"]>(
    (found, mark) => (mark.severity === null ? found : worse(found, mark.severity)),
    null,
  );
  return {
    // Another number is another mark: what stands in it is written once.
    id: `cluster ${cell} ${count}`,
    position: [sum[0] / count, sum[1] / count],
    domain: first.domain,
    state: WORST.find((state) => members.some((mark) => mark.state === state)) ?? "ok",
    severity,
    label: label(count),
    order: count,
    count,
  };
}

/** A cell of the sheet at a whole zoom, so that clusters stay while the map is zoomed a little. */
function cellOf([longitude, latitude]: Position, zoom: number): string {
  const size = (TILE_PX * 2 ** Math.floor(zoom)) / CELL_PX;
  const sine = Math.sin((latitude * Math.PI) / 180);
  const x = longitude / 360 + 0.5;
  const y = 0.5 - Math.log((1 + sine) / (1 - sine)) / (4 * Math.PI);
  return `${Math.floor(zoom)}/${Math.floor(x * size)}/${Math.floor(y * size)}`;
}

function wider([west, south, east, north]: Box): Box {
  const [x, y] = [(east - west) * MARGIN, (north - south) * MARGIN];
  return [west - x, south - y, east + x, north + y];
}

const within = ([x, y]: Position, box: Box) => overlaps([x, y, x, y], box);
