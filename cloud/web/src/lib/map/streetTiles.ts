/** Reads tiles out of the one file that the server has, in ranges. Loaded with the first map that
 * has streets, and once. */

import type { AddProtocolAction } from "maplibre-gl";
import { Protocol } from "pmtiles";
import { SCHEME } from "./streets";

interface Library {
  addProtocol: (scheme: string, load: AddProtocolAction) => void;
}

let added = false;

export function readStreetTiles(library: Library): void {
  if (added) return;
  const files = new Protocol();
  library.addProtocol(SCHEME, async (asked, abort) => {
    const { data } = await files.tilev4(asked, abort);
    return { data: data as Uint8Array<ArrayBuffer> };
  });
  added = true;
}
