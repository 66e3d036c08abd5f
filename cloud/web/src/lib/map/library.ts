/** The map's library: larger than all else that a page loads, and asked for once. */

import workerUrl from "maplibre-gl/dist/maplibre-gl-worker.mjs?worker&url";
import { part } from "../parts";

type Library = typeof import("maplibre-gl");

let asked: Promise<Library> | null = null;

/** Asks for it, and what failed once again. The worker's file comes along with it: the library
 * itself would ask for that only once it is here. */
export function mapLibrary(): Promise<Library> {
  if (!asked) {
    const coming = part(() => import("maplibre-gl"), "Map").then((library) => {
      library.setWorkerUrl(workerUrl);
      return library;
    });
    void fetch(workerUrl).catch(() => undefined);
    coming.catch(() => (asked = null));
    asked = coming;
  }
  return asked;
}
