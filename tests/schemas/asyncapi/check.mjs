// Exits 0 when the official parser finds no error in the document, 1 with its diagnostics otherwise.
import { readFile } from "node:fs/promises";
import { Parser } from "@asyncapi/parser";

const path = process.argv[2];
const { document, diagnostics } = await new Parser().parse(await readFile(path, "utf8"));
const errors = diagnostics.filter((diagnostic) => diagnostic.severity === 0);
for (const { severity, path: where, message } of diagnostics) {
  console.error(`${severity === 0 ? "error" : "note"} ${where.join(".")}: ${message}`);
}
if (errors.length > 0 || document === undefined) {
  console.error(`asyncapi: ${path} is not valid: ${errors.length} errors`);
  process.exit(1);
}
console.log(`asyncapi: ${document.version()} valid, ${document.channels().all().length} channels, ${document.messages().all().length} messages`);
