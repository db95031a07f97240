// Checks the links of README, CHANGELOG, handbook and the other pages: files and headings that are pointed at exist,
// every page of the handbook is in its summary, and each page has its twin in the other language with the same commands.
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { dirname, join, normalize, relative } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const wrong = [];
const pages = execFileSync("find", [root, "(", "-name", "node_modules", "-o", "-name", "target", "-o", "-name", ".git", "-o", "-name", "book", ")", "-prune", "-o", "-name", "*.md", "-print"])
  .toString()
  .trim()
  .split("\n")
  .sort();

/** The text without code: links in examples are not ours. */
const prose = (text) => text.replace(/^ *```[\s\S]*?^ *```/gm, "").replace(/`[^`\n]*`/g, "");

/** The name that a heading has in a link. */
const anchor = (heading) =>
  heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, "")
    .trim()
    .replace(/\s/g, "-");

const anchors = (file) => [...readFileSync(file, "utf8").matchAll(/^#+ (.+)$/gm)].map((m) => anchor(m[1]));

let links = 0;
for (const page of pages) {
  for (const [, target] of prose(readFileSync(page, "utf8")).matchAll(/\]\(([^)\s]+)\)/g)) {
    if (/^[a-z]+:/.test(target)) continue;
    links += 1;
    const [path, heading] = target.split("#");
    const file = path === "" ? page : normalize(join(dirname(page), decodeURIComponent(path)));
    const complain = (text) => wrong.push(`${relative(root, page)}: ${target} ${text}`);
    if (!existsSync(file)) complain("does not exist");
    else if (relative(root, file).startsWith("..")) complain("leads out of the repository");
    else if (heading && !anchors(file).includes(heading)) complain("has no such heading");
  }
}

const handbook = join(root, "docs/src");
const summary = readFileSync(join(handbook, "SUMMARY.md"), "utf8");
/** The programs that the examples of a page call, with the command for hromada. */
function commands(file) {
  const found = [];
  let fence = null;
  for (const line of readFileSync(file, "utf8").split("\n")) {
    const mark = line.match(/^ *```(.*)$/);
    if (mark) fence = fence === null ? mark[1] : null;
    else if (fence === "") found.push(line.trim().match(/^(hromada \S+|\S+)/)?.[1].split("://")[0]);
  }
  return found.join("\n");
}

for (const [lang, other] of [["uk", "en"], ["en", "uk"]]) {
  for (const name of readdirSync(join(handbook, lang))) {
    if (!summary.includes(`(${lang}/${name})`)) wrong.push(`docs/src/${lang}/${name} is not in the summary`);
    if (!existsSync(join(handbook, other, name))) wrong.push(`docs/src/${lang}/${name} has no twin in ${other}`);
    else if (lang === "uk" && commands(join(handbook, lang, name)) !== commands(join(handbook, other, name))) {
      wrong.push(`docs/src/${lang}/${name} and its twin show different commands`);
    }
  }
}

for (const text of wrong) console.error(`links: ${text}`);
console.log(`links: ${links} in ${pages.length} pages checked, ${wrong.length} wrong`);
process.exit(wrong.length > 0 ? 1 : 0);
