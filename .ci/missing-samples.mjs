// Reads `hromada collections --json` and prints the part of a manifest whose collections are not there yet; nothing when all are.
import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";

const path = process.argv[2];
const manifest = JSON.parse(readFileSync(path, "utf8"));
const present = new Set(JSON.parse(readFileSync(0, "utf8")).collections.map((c) => c.id));
const missing = manifest.collections
  .filter((entry) => !present.has(entry.collection))
  .map((entry) => ({ ...entry, file: resolve(dirname(path), entry.file) }));
if (missing.length > 0) {
  console.log(JSON.stringify({ ...manifest, collections: missing }));
}
