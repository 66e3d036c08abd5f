/** Loads the atlas files that the build made: once each, and villages only where somebody looks. */

import type { Feature, FeatureCollection } from "geojson";
import type { Map as MapLibre, GeoJSONSource } from "maplibre-gl";
import { feature } from "topojson-client";
import type { Topology } from "topojson-specification";
import { type Box, overlaps } from "../geo";
import { atlasAddress } from "./atlasAddress";

const VILLAGES_FROM_ZOOM = 11;

const files = new Map<string, Promise<unknown>>();

function file<T>(name: string): Promise<T> {
  let wanted = files.get(name);
  if (!wanted) {
    wanted = fetch(atlasAddress(name)).then((response) => {
      if (!response.ok) throw new Error(`${name}: ${response.status}`);
      return response.json();
    });
    // What failed once may be asked for again.
    wanted.catch(() => files.delete(name));
    files.set(name, wanted);
  }
  return wanted as Promise<T>;
}

const setData = (map: MapLibre, source: string, data: FeatureCollection) =>
  map.getSource<GeoJSONSource>(source)?.setData(data);

export async function drawBorders(map: MapLibre): Promise<void> {
  const atlas = await file<Topology>("towns.topo.json");
  for (const name of ["counties", "towns"]) {
    const object = atlas.objects[name];
    if (object) setData(map, name, feature(atlas, object) as FeatureCollection);
  }
}

/** Draws the villages of every county in view; returns without a request if all are there. */
export async function drawVillages(map: MapLibre, drawn: Set<string>): Promise<void> {
  if (map.getZoom() < VILLAGES_FROM_ZOOM) return;
  const index = await file<{ code: string; box: Box }[]>("index.json");
  const bounds = map.getBounds();
  const view: Box = [bounds.getWest(), bounds.getSouth(), bounds.getEast(), bounds.getNorth()];
  const wanted = index.filter((one) => overlaps(one.box, view)).map((one) => one.code);
  if (wanted.every((code) => drawn.has(code))) return;
  const codes = [...new Set([...drawn, ...wanted])];
  const parts = await Promise.all(
    codes.map((code) => file<FeatureCollection>(`villages-${code}.json`)),
  );
  // Only now: what could not be fetched is asked for again at the next move.
  for (const code of codes) drawn.add(code);
  const features: Feature[] = parts.flatMap((part) => part.features);
  setData(map, "villages", { type: "FeatureCollection", features });
}
