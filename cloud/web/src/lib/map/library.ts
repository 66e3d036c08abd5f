/** The map's library: larger than all else that a page loads, and asked for once. */

import workerUrl from "maplibre-gl/dist/maplibre-gl-worker.mjs?worker&url";
import { part } from "../parts";
import { settings } from "../settings.svelte";

type Library = typeof import("maplibre-gl");

let asked: Promise<Library> | null = null;
let here = false;

/** A map can be made at once. */
export const isLibraryHere = (): boolean => here;

/** Asks for it, and what failed once again. The worker's file comes along with it: the library
 * itself would ask for that only once it is here. */
export function mapLibrary(): Promise<Library> {
  if (!asked) {
    const coming = part(() => import("maplibre-gl"), "Map").then((library) => {
      library.setWorkerUrl(workerUrl);
      here = true;
      return library;
    });
    void fetch(workerUrl).catch(() => undefined);
    coming.catch(() => (asked = null));
    asked = coming;
  }
  return asked;
}

/** For who knows that there will be a map: what its first picture is drawn with, and the streets'
 * directory, are asked for before it is known where. Without streets, or where none of it comes,
 * nothing is lost: the map asks for what it needs. */
export async function pictureAhead(): Promise<void> {
  await settings.load();
  if (settings.tiles || !settings.streets || here) return;
  const { streets } = settings;
  await Promise.all([
    part(() => import("./Picture.svelte")),
    part(() => import("./streetTiles"), "openStreets").then(({ openStreets }) =>
      openStreets(streets),
    ),
  ]);
}
