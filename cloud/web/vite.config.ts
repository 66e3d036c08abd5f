import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { svelte } from "@sveltejs/vite-plugin-svelte";
import type { Plugin } from "vite";
import { defineConfig } from "vitest/config";

/** Beside each text the same compressed, once: the server would do it for every reader. */
const compressed = (): Plugin => ({
  name: "compressed",
  apply: "build",
  writeBundle({ dir = "" }) {
    for (const folder of ["assets", "atlas"]) {
      for (const name of readdirSync(join(dir, folder))) {
        const file = join(dir, folder, name);
        writeFileSync(`${file}.gz`, gzipSync(readFileSync(file), { level: 9 }));
      }
    }
  },
});

/** What `npm run atlas` has made; without it there is no atlas either. */
const ATLAS = join(import.meta.dirname, "public", "atlas", "version.txt");

export default defineConfig({
  define: { __ATLAS__: JSON.stringify(existsSync(ATLAS) ? readFileSync(ATLAS, "utf8") : "") },
  plugins: [svelte(), compressed()],
  build: {
    outDir: "../vigil_cloud/static",
    emptyOutDir: true,
    target: "es2022",
    // Small files stay files: the server's content policy allows no data: scripts or styles.
    assetsInlineLimit: 0,
    // MapLibre alone is about a megabyte; it is a chunk of its own, loaded with the map.
    chunkSizeWarningLimit: 1500,
  },
  server: {
    proxy: { "/api": process.env["VIGIL_API"] ?? "http://127.0.0.1:8400" },
  },
  // A machine that is busy takes seconds to load a module: that is no fault of a test.
  test: { include: ["tests/**/*.test.ts"], environment: "node", testTimeout: 60_000 },
});
