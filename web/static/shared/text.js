/* The words of a page in the reader's language. The English text is the key: a text without a translation
   stays English. A catalogue is a script of its own (/static/…/locale/es.js). A page loads it before its
   other scripts, and this script reads it; a live page can change to another language while it runs
   (`language.js`). Pure except for that. */

/** @typedef {Record<string, string[]>} Words English text -> the forms of its translation */
/** @typedef {[locale: string, chooseForm: (n: number) => number, words: Words]} Language */

/** @type {Language} */
const ENGLISH = ["en", (n) => (n === 1 ? 0 : 1), {}];
let [locale, chooseForm, words] = globalThis.pageLanguage ?? ENGLISH;

/**
 * Use a language, which is given by its BCP 47 tag, the rule that chooses the form of a plural, and its
 * words. Without arguments, use English.
 *
 * @param {[] | Language} language
 */
export function learn(...language) {
  [locale, chooseForm, words] = language.length ? language : ENGLISH;
}

/**
 * Return a function that returns the result of `make`, which is called again after each change of language.
 * So a constant can hold texts: `const SIZES = inEach(() => […])` is read as `SIZES()`.
 *
 * @template Made
 * @param {() => Made} make
 * @returns {() => Made}
 */
export function inEach(make) {
  /** @type {Made | undefined} */
  let made;
  /** @type {Words | undefined} */
  let of;
  return () => {
    if (made === undefined || of !== words) [made, of] = [make(), words];
    return made;
  };
}

/**
 * @param {string} text the English text
 * @param {object} values
 */
function fill(text, values) {
  const known = new Map(Object.entries(values));
  return text.replace(/\{(\w+)\}/g, (whole, name) =>
    known.has(name) ? apart(String(known.get(name))) : whole,
  );
}

const RIGHT_TO_LEFT = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]/;
const PLAIN_NUMBER = /^[\d.,:\s]*$/;

/**
 * Return a value in the form in which it can be put into a sentence. A value that may be written in the
 * other direction must not change the order of the text around it (like `<bdi>` in HTML). `isolated` in
 * web/languages/i18n.py does the same.
 *
 * @param {string} value
 */
function apart(value) {
  const turns = globalThis.document?.dir === "rtl" ? !PLAIN_NUMBER.test(value) : RIGHT_TO_LEFT.test(value);
  return turns ? `\u2068${value}\u2069` : value;
}

/**
 * Return the text in the reader's language, with its {names} filled in. The key must be written in double
 * quotes, so that it can be collected.
 *
 * @param {string} text the English text
 * @param {object} [values] the values for the {names}
 */
export function t(text, values = {}) {
  return fill(words[text]?.[0] ?? text, values);
}

/**
 * Return the form of a text for a number of things; {n} is the number.
 *
 * @param {string} one the English text for one thing
 * @param {string} many the English text for several things
 * @param {number} n the number of things
 * @param {object} [values] the values for the {names}
 */
export function tn(one, many, n, values = {}) {
  const text = words[one]?.[chooseForm(n)] ?? (n === 1 ? one : many);
  return fill(text, { n, ...values });
}

/**
 * Return the locale for dates, times and numbers: the browser's variant of the page's language, if it has
 * one, with the digits 0 to 9 and the calendar that the server uses.
 */
export function intlLocale() {
  const language = locale.split("-")[0];
  const tag = globalThis.navigator?.languages?.find((tag) => tag.split("-")[0] === language) ?? locale;
  return new Intl.Locale(tag, { numberingSystem: "latn", calendar: "gregory" }).toString();
}
