/*
 * Makes one minified file in `web/joined` for each script and style sheet that a template names. The
 * file also contains everything that the script or style sheet imports. `node join.mjs --check` writes
 * nothing, and fails if `web/joined` does not match the sources.
 */
import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const WEB = join(dirname(fileURLToPath(import.meta.url)), "../../web");
const [STATIC, TEMPLATES, JOINED] = ["static", "templates", "joined"].map((name) => join(WEB, name));
const NAMED = /\b(?:module\(|static\(|script = |default\()'([^']+\.(?:js|css))'/g;

/** Returns the path of every file in a folder, relative to the folder. */
const filesOf = (folder) =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .sort();

const read = (folder, name) => readFileSync(join(folder, name));
const named = filesOf(TEMPLATES).flatMap((name) =>
  [...read(TEMPLATES, name).toString().matchAll(NAMED)].map(([, found]) => found),
);
const { outputFiles, metafile } = await build({
  absWorkingDir: STATIC,
  entryPoints: [...new Set(named)].sort(),
  outbase: STATIC,
  outdir: JOINED,
  bundle: true,
  charset: "utf8",
  format: "esm",
  legalComments: "eof",
  metafile: true,
  minify: true,
  target: "es2022",
  write: false,
});
const hash = (name) => createHash("sha256").update(read(STATIC, name)).digest("hex").slice(0, 16);
const sources = Object.fromEntries(
  Object.keys(metafile.inputs)
    .sort()
    .map((name) => [name, hash(name)]),
);
const made = new Map(
  outputFiles.map(({ path, contents }) => [path.slice(JOINED.length + 1), Buffer.from(contents)]),
);
// The server reads this list to find the translated texts that a page needs (web/pages/static_files.py).
const modules = Object.fromEntries(
  Object.entries(metafile.outputs)
    .filter(([name]) => name.endsWith(".js"))
    .map(([name, { inputs }]) => [
      name.slice(name.indexOf("joined/") + "joined/".length),
      Object.keys(inputs)
        .filter((source) => inputs[source].bytesInOutput > 0)
        .sort(),
    ]),
);
made.set("modules.json", Buffer.from(`${JSON.stringify(modules, null, 2)}\n`));
made.set("sources.json", Buffer.from(`${JSON.stringify(sources, null, 2)}\n`));

if (process.argv.includes("--check")) {
  const kept = filesOf(JOINED);
  const same = kept.length === made.size && kept.every((name) => made.get(name)?.equals(read(JOINED, name)));
  if (!same) {
    console.error("web/joined is not what web/static makes: run `make joined`.");
    process.exit(1);
  }
} else {
  rmSync(JOINED, { recursive: true, force: true });
  for (const [name, contents] of made) {
    mkdirSync(dirname(join(JOINED, name)), { recursive: true });
    writeFileSync(join(JOINED, name), contents);
  }
}
