// Checks data-samples/samples.json against the files that it describes: layers, properties, ids, labels, known values, counts of the READMEs.
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const folder = join(dirname(fileURLToPath(import.meta.url)), "../data-samples");
const manifest = JSON.parse(readFileSync(join(folder, "samples.json"), "utf8"));
const THEMES = ["cadastre", "zoning", "networks", "addresses", "transport", "boundaries", "other"];
const wrong = [];

/** Properties of every record of a file. */
function records(entry) {
  const file = join(folder, entry.file);
  if (!file.endsWith(".gpkg")) {
    return JSON.parse(readFileSync(file, "utf8")).features.map((f) => f.properties);
  }
  const sql = (query) => execFileSync("sqlite3", ["-json", `file:${file}?immutable=1`, query], { maxBuffer: 1 << 30 }).toString() || "[]";
  const geometry = JSON.parse(sql(`select column_name from gpkg_geometry_columns where table_name='${entry.layer}'`))[0]?.column_name;
  const columns = JSON.parse(sql(`select name, pk from pragma_table_info('${entry.layer}')`)).filter((c) => !c.pk && c.name !== geometry);
  return JSON.parse(sql(`select ${columns.map((c) => `"${c.name}"`).join(",")} from "${entry.layer}"`));
}

for (const entry of manifest.collections) {
  const complain = (text) => wrong.push(`${entry.collection}: ${text}`);
  const both = (text) => text && text.uk && text.en;
  if (!/^[a-z0-9][a-z0-9_-]*$/.test(entry.collection)) complain("the id is malformed");
  if (!both(entry.title) || !both(entry.description)) complain("title or description lacks a language");
  if (!THEMES.includes(entry.theme)) complain(`theme ${entry.theme}`);
  if (!entry.license || !entry.attribution) complain("no licence or attribution");
  if (!existsSync(join(folder, dirname(entry.file), "README.md"))) complain("no README beside the file");

  const rows = records(entry);
  if (rows.length === 0) complain("the source is empty");
  const names = new Set(rows.flatMap((row) => Object.keys(row)));
  const named = [...Object.keys(entry.units), ...Object.keys(entry.enumerations), ...entry.searchable];
  for (const name of [...named, ...Object.keys(entry.titles), entry.label, entry.id, entry.time]) {
    if (name !== undefined && !names.has(name)) complain(`the source has no property ${name}`);
  }
  for (const name of names) {
    if (!both(entry.titles[name])) complain(`${name} has no title in both languages`);
  }
  if (entry.id) {
    const ids = rows.map((row) => row[entry.id]);
    if (ids.some((id) => id === null || id === undefined)) complain(`${entry.id} is sometimes empty`);
    if (new Set(ids).size !== ids.length) complain(`${entry.id} is not unique`);
  }
  for (const [name, values] of Object.entries(entry.enumerations)) {
    const present = new Set(rows.map((row) => String(row[name])));
    const known = values.map((v) => v.value);
    if (new Set(known).size !== known.length) complain(`${name}: a value twice`);
    for (const { value, title } of values) {
      if (!present.has(value)) complain(`${name}: ${value} does not occur`);
      if (!both(title)) complain(`${name}: ${value} has no title in both languages`);
    }
  }
  // The README's table names the collection with its number of features.
  const readme = readFileSync(join(folder, dirname(entry.file), "README.md"), "utf8");
  const row = readme.split("\n").find((line) => line.includes(`| ${entry.collection} |`));
  const count = row?.split("|").map((cell) => cell.trim().replaceAll(",", ""))[3];
  if (Number(count) !== rows.length) complain(`the README says ${count} features, the file has ${rows.length}`);
}

for (const text of wrong) console.error(`data-samples: ${text}`);
console.log(`data-samples: ${manifest.collections.length} collections checked, ${wrong.length} wrong`);
process.exit(wrong.length > 0 ? 1 : 0);
