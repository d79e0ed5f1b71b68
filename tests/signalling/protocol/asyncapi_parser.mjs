// Reads AsyncAPI documents from standard input, as a JSON list of texts. Prints the result of the parser for
// each of them, as JSON.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

// The package is installed in the working directory, tests/javascript.
const { Parser } = createRequire(`${process.cwd()}/`)("@asyncapi/parser");
const parser = new Parser();
const found = [];
for (const text of JSON.parse(readFileSync(0, "utf8"))) {
  const { document, diagnostics } = await parser.parse(text);
  found.push({
    version: document?.version() ?? null,
    operations:
      document
        ?.allOperations()
        .all()
        .map((operation) => operation.id()) ?? [],
    messages:
      document
        ?.components()
        .messages()
        .all()
        .map((message) => message.name()) ?? [],
    complaints: diagnostics.map(({ severity, code, message, path }) => ({
      severity,
      code,
      message,
      path: path.join("/"),
    })),
  });
}
console.log(JSON.stringify(found));
