/* Returns values in words and figures: durations, places in the queue, names of regions and languages. The
   functions use only their arguments and the reader's language; `nameRegions` sets the names of the clinic's
   regions once. */
import { inEach, intlLocale, t, tn } from "./text.js";

const PLACES = inEach(() => [
  "",
  t("You are next"),
  t("You are second in line"),
  t("You are third in line"),
  t("You are fourth in line"),
  t("You are fifth in line"),
  t("You are sixth in line"),
  t("You are seventh in line"),
  t("You are eighth in line"),
  t("You are ninth in line"),
  t("You are tenth in line"),
]);
/** @type {Record<string, string>} code of a region -> its name */
let regions = {};

/**
 * Set the names of the clinic's regions, by code.
 *
 * @param {Record<string, string>} names code of a region -> its name
 */
export function nameRegions(names) {
  regions = names;
}

/**
 * Return a duration as "31:07", or "1:02:07" from an hour on.
 *
 * @param {number} ms the duration in ms
 */
export function duration(ms) {
  const s = Math.max(0, Math.floor(ms / 1000));
  const two = (/** @type {number} */ n) => String(n).padStart(2, "0");
  const hours = Math.floor(s / 3600);
  return `${hours ? `${hours}:${two(Math.floor(s / 60) % 60)}` : Math.floor(s / 60)}:${two(s % 60)}`;
}

/**
 * Return the duration of an ended visit in words, such as "3 minutes" or "less than a minute".
 *
 * @param {number} ms the length in ms
 */
export function minutes(ms) {
  const count = Math.round(ms / 60_000);
  if (ms < 45_000) return t("less than a minute");
  return tn("{n} minute", "{n} minutes", Math.max(1, count));
}

/**
 * Return a time of day such as "10:42", in the reader's time zone and language.
 *
 * @param {number} ms the time, in ms since 1970
 */
export function clock(ms) {
  return new Intl.DateTimeFormat(intlLocale(), { hour: "numeric", minute: "2-digit" }).format(ms);
}

/**
 * Return a date and a time such as "Nov 23, 10:42", in the reader's time zone and language.
 *
 * @param {number} ms the time, in ms since 1970
 */
export function moment(ms) {
  return new Intl.DateTimeFormat(intlLocale(), {
    month: "short",
    day: "numeric",
    hour: "numeric",
    minute: "2-digit",
  }).format(ms);
}

/**
 * Return a place in the queue in words, such as "You are second in line".
 *
 * @param {number | null | undefined} place the place, from 1; null if the organisation does not show it
 */
export function placeWords(place) {
  if (place === null || place === undefined) return t("You are in line");
  return PLACES()[place] ?? t("You are number {place} in line", { place });
}

/**
 * Return a wait in words, such as "Usually 4 to 9 minutes from here"; null if there is no estimate. A wait of
 * an hour and a half or more is given in hours, and a wait of more than two hours without a number.
 * `web/intake/wait_words.py` has the same rules for pages that the server draws.
 *
 * @param {number | null | undefined} low_ms the shortest usual wait in ms
 * @param {number | null | undefined} high_ms the longest usual wait in ms
 */
export function waitWords(low_ms, high_ms) {
  if (low_ms === null || high_ms === null || low_ms === undefined || high_ms === undefined) return null;
  const low = Math.max(0, Math.floor(low_ms / 60_000));
  const high = Math.max(1, Math.ceil(high_ms / 60_000));
  if (low + high >= 240) return t("More than two hours from here");
  if (high > 120) return t("Usually one to three hours from here");
  if (high > 90) return t("Usually half an hour to two hours from here");
  if (high <= 1) return t("Usually within a minute from here");
  if (low === high)
    return tn("Usually about {n} minute from here", "Usually about {n} minutes from here", high);
  return t("Usually {low} to {high} minutes from here", { low: Math.max(1, low), high });
}

/**
 * Return a sentence such as "2 clinicians are on call".
 *
 * @param {number} count the number of clinicians
 */
export function onCallWords(count) {
  if (!count) return t("Nobody is on call at this moment; your place is kept");
  return tn("{n} clinician is on call", "{n} clinicians are on call", count);
}

/**
 * Return the initials of a name: "MO" for "Dr M. Osei".
 *
 * @param {string} name the name of a person
 */
export function initials(name) {
  const words = name
    .replace(/^(dr|mr|mrs|ms|prof)\.?\s+/i, "")
    .split(/\s+/)
    .filter((word) => /\p{L}/u.test(word));
  const letters = [words[0], words.length > 1 ? words.at(-1) : ""].map((word) => [...(word ?? "")][0] ?? "");
  return letters.join("").toUpperCase() || "?";
}

/**
 * Return the name of a region: "Texas" for "TX".
 *
 * @param {string} code the code of the region
 */
export function stateName(code) {
  return regions[code] ?? code;
}

const LANGUAGES = inEach(() => new Intl.DisplayNames(intlLocale(), { type: "language" }));
/** Sign languages, for which browsers have no name. */
const SIGNED = inEach(/** @returns {Record<string, string>} */ () => ({ ase: t("American Sign Language") }));

/**
 * Return the name of a language: "Spanish" for "es".
 *
 * @param {string} code the code of the language
 */
export function languageName(code) {
  try {
    return SIGNED()[code] ?? LANGUAGES().of(code) ?? code;
  } catch {
    return code;
  }
}

/**
 * Return a calendar date in words: "April 2, 1990" for "1990-04-02". The words are the same in every time
 * zone.
 *
 * @param {string} iso a date such as 1990-04-02
 */
export function dateWords(iso) {
  const parsed = new Date(`${iso}T00:00:00Z`);
  if (Number.isNaN(parsed.getTime())) return iso;
  return new Intl.DateTimeFormat(intlLocale(), { dateStyle: "long", timeZone: "UTC" }).format(parsed);
}

/**
 * Return the number of whole years between a date of birth and `now_ms`.
 *
 * @param {string} iso a date such as 1990-04-02
 * @param {number} now_ms the time now, in ms since 1970
 */
export function age(iso, now_ms) {
  const born = new Date(`${iso}T00:00:00Z`);
  const now = new Date(now_ms);
  if (Number.isNaN(born.getTime())) return null;
  const before = [now.getUTCMonth() - born.getUTCMonth(), now.getUTCDate() - born.getUTCDate()];
  return (
    now.getUTCFullYear() -
    born.getUTCFullYear() -
    (before[0] < 0 || (before[0] === 0 && before[1] < 0) ? 1 : 0)
  );
}

/**
 * Return the "tel:" address of a phone number. Only its digits and "+" are kept.
 *
 * @param {string} phone the phone number
 */
export const telLink = (phone) => `tel:${phone.replace(/[^+\d]/g, "")}`;
