import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { inEach, intlLocale, learn, t, tn } from "../../../../web/static/shared/text.js";

/** The plural rule of French, which uses the singular for 0 and 1. */
const french = (/** @type {number} */ n) => (n < 2 ? 0 : 1);

afterEach(() => learn());

test("names are filled in, and those that are not given stay", () => {
  assert.equal(t("{by} wrote to {name}.", { by: "Ana", name: 0 }), "Ana wrote to 0.");
  assert.equal(t("{by} wrote to {name}.", { by: "{name}" }), "{name} wrote to {name}.");
});

test("f29 a value from right to left does not turn what stands around it", () => {
  assert.equal(t("{name} ({age})", { name: "محمد", age: 12 }), "\u2068محمد\u2069 (12)");
  assert.equal(t("{name} ({age})", { name: "Ana", age: 12 }), "Ana (12)");
});

test("f29 on a page from right to left every value stands apart, plain numbers excepted", () => {
  Object.assign(globalThis, { document: { dir: "rtl" } });
  try {
    const values = { name: "Ana (MD)", phone: "+1 512 555 0142", age: 12, time: "1:02" };
    assert.equal(
      t("{name} {phone} {age} {time}", values),
      "\u2068Ana (MD)\u2069 \u2068+1 512 555 0142\u2069 12 1:02",
    );
  } finally {
    Reflect.deleteProperty(globalThis, "document");
  }
});

test("what nobody has translated stays English", () => {
  learn("fr", french, { Cancel: ["Annuler"], "{n} day": ["{n} jour", "{n} jours"] });
  assert.equal(t("Cancel"), "Annuler");
  assert.equal(t("Send"), "Send");
});

test("the form of a number is chosen by the language", () => {
  assert.equal(tn("{n} day", "{n} days", 0), "0 days");
  learn("fr", french, { "{n} day": ["{n} jour", "{n} jours"] });
  assert.equal(tn("{n} day", "{n} days", 0), "0 jour");
  assert.equal(tn("{n} day", "{n} days", 2), "2 jours");
});

test("words of a constant are made once in each language", () => {
  let made = 0;
  const words = inEach(() => {
    made += 1;
    return [t("Cancel")];
  });
  assert.equal(words(), words());
  assert.equal(made, 1);
  learn("fr", french, { Cancel: ["Annuler"] });
  assert.deepEqual(words(), ["Annuler"]);
  learn();
  assert.deepEqual(words(), ["Cancel"]);
});

test("dates are written in the language of the page", () => {
  learn("es", french, {});
  assert.match(intlLocale(), /^es\b/);
});

test("numbers and dates have the digits and the calendar of the server in every language", () => {
  learn("ar-SA", () => 0, {});
  assert.equal(new Intl.NumberFormat(intlLocale()).format(12), "12");
  assert.match(new Intl.DateTimeFormat(intlLocale(), { year: "numeric" }).format(0), /19(69|70)/);
});

test("an Arabic plural has one of six forms", () => {
  const arabic = (/** @type {number} */ n) =>
    n < 3 ? n : n % 100 >= 3 && n % 100 <= 10 ? 3 : n % 100 >= 11 ? 4 : 5;
  learn("ar", arabic, { "{n} day": ["0", "1", "2", "3-10", "11-99", "100-102"] });
  const forms = [0, 1, 2, 3, 10, 11, 99, 100, 102, 103].map((n) => tn("{n} day", "{n} days", n));
  const expected = ["0", "1", "2", "3-10", "3-10", "11-99", "11-99", "100-102", "100-102", "3-10"];
  assert.deepEqual(forms, expected);
});
