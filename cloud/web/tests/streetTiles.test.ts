/** Tiles out of one file on a server: what the picture took, the map's library gets as its own. */

import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { AddProtocolAction } from "maplibre-gl";
import { afterAll, beforeEach, expect, test, vi } from "vitest";
import type { Streets } from "../src/lib/map/streets";

const CONTENT = new Uint8Array([26, 3, 1, 2, 3]);

/** The smallest file of its format: one tile, of zoom 0. */
function archive(): Buffer {
  const header = Buffer.alloc(127);
  const directory = Buffer.from([1, 0, 1, CONTENT.length, 1]);
  header.write("PMTiles");
  header[7] = 3;
  const after = 127 + directory.length;
  const places = [127, directory.length, after, 0, after, 0, after, CONTENT.length, 1, 1, 1];
  places.forEach((value, i) => header.writeBigUInt64LE(BigInt(value), 8 + 8 * i));
  // Ordered; neither the directory nor the tile is compressed; vector tiles.
  header.set([1, 1, 1, 1, 0, 0], 96);
  return Buffer.concat([header, directory, CONTENT]);
}

const FILE = archive();
/** The tile's own bytes are refused so many times. */
let refused = 0;
let requests = 0;
const server = createServer((asked, answer) => {
  const [, from = "0", to = "0"] = /bytes=(\d+)-(\d+)/.exec(asked.headers.range ?? "") ?? [];
  requests += 1;
  if (Number(from) > 0 && refused-- > 0) {
    answer.writeHead(500).end();
    return;
  }
  const last = Math.min(Number(to), FILE.length - 1);
  const part = FILE.subarray(Number(from), last + 1);
  answer.writeHead(206, {
    "content-range": `bytes ${from}-${last}/${FILE.length}`,
    "content-length": part.length,
  });
  answer.end(part);
});
await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
vi.stubGlobal("location", { origin });
const { readStreetTiles, tileOf } = await import("../src/lib/map/streetTiles");

let load: AddProtocolAction = () => Promise.reject(new Error("no protocol"));
readStreetTiles({ addProtocol: (_, action) => (load = action) });
let number = 0;
let streets: Streets;
const byLibrary = async () => {
  const url = `pmtiles://${origin}${streets.url}/0/0/0`;
  const { data } = await load({ url, type: "arrayBuffer" }, new AbortController());
  return data as Uint8Array<ArrayBuffer>;
};

beforeEach(() => {
  streets = { url: `/streets-${++number}`, attribution: "x", max_zoom: 0 } as Streets;
  refused = requests = 0;
});
afterAll(() => void server.close());

test("what the library does with its tile leaves the picture's as it is", async () => {
  const kept = await tileOf(streets, 0, 0, 0);
  const before = requests;
  const taken = await byLibrary();
  expect(requests).toBe(before);
  // As it goes to a worker.
  structuredClone(taken, { transfer: [taken.buffer] });
  expect(taken.length).toBe(0);
  expect(kept).toEqual(CONTENT);
});

test("a tile that did not come for the picture is asked for again for the library", async () => {
  refused = 1;
  const picture = tileOf(streets, 0, 0, 0);
  const library = byLibrary();
  await expect(picture).rejects.toThrow("500");
  expect(await library).toEqual(CONTENT);
});
