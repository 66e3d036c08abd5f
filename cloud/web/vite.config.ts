import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { brotliCompressSync, gzipSync } from "node:zlib";
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
        const content = readFileSync(file);
        writeFileSync(`${file}.gz`, gzipSync(content, { level: 9 }));
        // Quality 11 where nothing is said. Browsers take it over TLS. The atlas is not waited for,
        // and would take most of the build's time.
        if (folder === "assets") writeFileSync(`${file}.br`, brotliCompressSync(content));
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
    rolldownOptions: {
      // What every page needs comes as one file: compressed together it is smaller, and asked for
      // once.
      output: { codeSplitting: { groups: [{ name: "base", test: /src[\\/]App\.svelte$/ }] } },
    },
  },
  server: {
    proxy: { "/api": process.env["VIGIL_API"] ?? "http://127.0.0.1:8400" },
  },
  // A machine that is busy takes seconds to load a module: that is no fault of a test.
  test: { include: ["tests/**/*.test.ts"], environment: "node", testTimeout: 60_000 },
});
