/** The API's description and its TypeScript types, both committed; `.ci/openapi-drift` compares. */
import { execFileSync } from "node:child_process";
import { existsSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const web = join(dirname(fileURLToPath(import.meta.url)), "..");
const local = join(web, "..", "..", ".venv", "bin", "vigil-cloud");
const description = execFileSync(existsSync(local) ? local : "vigil-cloud", ["export-openapi"], {
  maxBuffer: 64 * 1024 * 1024,
});
writeFileSync(join(web, "src/lib/api/openapi.json"), description);
execFileSync(
  "npx",
  [
    "--no-install",
    "openapi-typescript",
    "src/lib/api/openapi.json",
    "--output",
    "src/lib/api/schema.d.ts",
  ],
  { cwd: web, stdio: ["ignore", "ignore", "inherit"] },
);
