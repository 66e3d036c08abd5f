import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vitest/config";

export default defineConfig({
  plugins: [svelte()],
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
  test: { include: ["tests/**/*.test.ts"], environment: "node" },
});
