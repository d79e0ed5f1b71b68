import assert from "node:assert/strict";
import { test } from "node:test";
import * as format from "../../../../web/static/shared/format.js";

const MINUTE_MS = 60_000;

test("a duration has hours only from an hour on, and is never negative", () => {
  assert.equal(format.duration(0), "0:00");
  assert.equal(format.duration(-5_000), "0:00");
  assert.equal(format.duration(59_999), "0:59");
  assert.equal(format.duration(31 * MINUTE_MS + 7_000), "31:07");
  assert.equal(format.duration(60 * MINUTE_MS), "1:00:00");
  assert.equal(format.duration(62 * MINUTE_MS + 7_999), "1:02:07");
});

test("a visit that is over is shown in minutes, and under one in words", () => {
  assert.equal(format.minutes(44_999), "less than a minute");
  assert.equal(format.minutes(45_000), "1 minute");
  assert.equal(format.minutes(89_999), "1 minute");
  assert.equal(format.minutes(90_000), "2 minutes");
});

test("a wait is shown as a span, and not at all without data", () => {
  assert.equal(format.waitWords(null, null), null);
  assert.equal(format.waitWords(undefined, MINUTE_MS), null);
  assert.equal(format.waitWords(0, 30_000), "Usually within a minute from here");
  assert.equal(format.waitWords(3 * MINUTE_MS, 3 * MINUTE_MS), "Usually about 3 minutes from here");
  assert.equal(format.waitWords(4.9 * MINUTE_MS, 8.1 * MINUTE_MS), "Usually 4 to 9 minutes from here");
  assert.equal(format.waitWords(0, 3 * MINUTE_MS), "Usually 1 to 3 minutes from here");
});

test("f16: a long wait is shown in hours, and as more than two of them without a number", () => {
  const words = (/** @type {number} */ low, /** @type {number} */ high) =>
    format.waitWords(low * MINUTE_MS, high * MINUTE_MS);
  assert.equal(words(30, 90), "Usually 30 to 90 minutes from here");
  assert.equal(words(31, 93), "Usually half an hour to two hours from here");
  assert.equal(words(40, 121), "Usually one to three hours from here");
  assert.equal(words(60, 180), "More than two hours from here");
  assert.equal(words(633, 1900), "More than two hours from here");
});

test("a place is a word up to the tenth, then a number, and hidden where the clinic hides it", () => {
  assert.equal(format.placeWords(1), "You are next");
  assert.equal(format.placeWords(10), "You are tenth in line");
  assert.equal(format.placeWords(11), "You are number 11 in line");
  assert.equal(format.placeWords(null), "You are in line");
  assert.equal(format.placeWords(undefined), "You are in line");
});

test("initials leave out titles and what is no letter", () => {
  assert.equal(format.initials("Dr M. Osei"), "MO");
  assert.equal(format.initials("Ana María del Río"), "AR");
  assert.equal(format.initials("prof. Šimon"), "Š");
  assert.equal(format.initials("李 小龙"), "李小");
  assert.equal(format.initials("  "), "?");
});

test("an age counts whole years, by the day", () => {
  const at = (/** @type {string} */ day) => Date.parse(`${day}T12:00:00Z`);
  assert.equal(format.age("1990-04-02", at("2026-04-01")), 35);
  assert.equal(format.age("1990-04-02", at("2026-04-02")), 36);
  assert.equal(format.age("2000-02-29", at("2026-02-28")), 25);
  assert.equal(format.age("soon", at("2026-04-02")), null);
});

test("a date of birth is the same date in every time zone", () => {
  assert.equal(format.dateWords("1990-04-02"), "April 2, 1990");
  assert.equal(format.dateWords("soon"), "soon");
});

test("regions and languages are named, and unknown ones stand as they are", () => {
  format.nameRegions({ ON: "Ontario" });
  assert.equal(format.stateName("ON"), "Ontario");
  assert.equal(format.stateName("XX"), "XX");
  assert.equal(format.languageName("es"), "Spanish");
  assert.equal(format.languageName("not a code"), "not a code");
});

test("f23 every language that a clinic can offer has a name", () => {
  const offered = ["en", "es", "zh", "vi", "tl", "fr", "ar", "ko", "ru", "pt", "de", "ht", "hi", "ase"];
  for (const code of offered) assert.notEqual(format.languageName(code), code);
  assert.equal(format.languageName("ase"), "American Sign Language");
});

test("f21 a phone number is dialled without what is only read", () => {
  assert.equal(format.telLink("+1 512 555 0142"), "tel:+15125550142");
});

test("nobody on call is said in words", () => {
  assert.equal(format.onCallWords(0), "Nobody is on call at this moment; your place is kept");
  assert.equal(format.onCallWords(1), "1 clinician is on call");
  assert.equal(format.onCallWords(2), "2 clinicians are on call");
});
