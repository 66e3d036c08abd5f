/** Reads tiles out of the one file that the server has, in ranges. What the first picture of a map
 * was drawn from, the map's library gets without asking the server again. */

import type { AddProtocolAction } from "maplibre-gl";
import { PMTiles, Protocol } from "pmtiles";
import { SCHEME, type Streets } from "./streets";

interface Library {
  addProtocol: (scheme: string, load: AddProtocolAction) => void;
}

const files = new Protocol();
let added = false;
/** By address, until the library takes them; as many as a large window shows, twice. */
const read = new Map<string, Promise<Uint8Array<ArrayBuffer>>>();
const MOST_KEPT = 48;

export function readStreetTiles(library: Library): void {
  if (added) return;
  library.addProtocol(SCHEME, async (asked, abort) => {
    const kept = read.get(asked.url);
    if (asked.type !== "json" && kept) {
      read.delete(asked.url);
      // A copy: the library hands the buffer on to its worker, and the picture may still read it.
      const tile = await kept.catch(() => null);
      if (tile) return { data: tile.slice() };
    }
    const { data } = await files.tilev4(asked, abort);
    return { data: data as Uint8Array<ArrayBuffer> };
  });
  added = true;
}

function fileOf(streets: Streets): PMTiles {
  const address = new URL(streets.url, location.origin).href;
  const known = files.get(address);
  if (known) return known;
  const made = new PMTiles(address);
  files.add(made);
  return made;
}

/** Asks for the file's directory: before it, no tile can be had. */
export async function openStreets(streets: Streets): Promise<void> {
  await fileOf(streets).getHeader();
}

/** A tile's content, empty where the file has none there. */
export function tileOf(
  streets: Streets,
  z: number,
  x: number,
  y: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const file = fileOf(streets);
  const address = `${SCHEME}://${file.source.getKey()}/${z}/${x}/${y}`;
  let tile = read.get(address);
  if (!tile) {
    tile = file.getZxy(z, x, y).then((found) => new Uint8Array(found?.data ?? new ArrayBuffer(0)));
    tile.catch(() => read.delete(address));
    const [oldest] = read.keys();
    if (read.size >= MOST_KEPT && oldest !== undefined) read.delete(oldest);
    read.set(address, tile);
  }
  return tile;
}
