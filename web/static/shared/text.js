/* Returns the texts of a page in the reader's language. The English text is the key: a text without a
   translation stays English. The translations of a language are a script of their own
   (/static/…/locale/es.js). A page loads it before its other scripts, and this script reads it; a live
   page can change to another language while it runs (`language.js`). */

/** @typedef {Record<string, string[]>} Words English text -> the forms of its translation */
/**
 * @typedef {[locale: string, chooseForm: (n: number) => number, words: Words]} Language a language: its BCP
 *   47 tag, the rule that chooses the form of a plural, and its translations
 */

/** @type {Language} the language without translations, because English texts are the keys */
const ENGLISH = ["en", (n) => (n === 1 ? 0 : 1), {}];
let [locale, chooseForm, words] = globalThis.pageLanguage ?? ENGLISH;

/**
 * Use a language from now on. Without arguments, use English.
 *
 * @param {[] | Language} language the three values of the type Language, or nothing
 */
export function learn(...language) {
  [locale, chooseForm, words] = language.length ? language : ENGLISH;
}

/**
 * Return a function that returns the result of `make`. After a change of language, it calls `make` again. So
 * a constant can hold texts: `const SIZES = inEach(() => […])` is read as `SIZES()`.
 *
 * @template Made
 * @param {() => Made} make returns a value that contains texts
 * @returns {() => Made}
 */
export function inEach(make) {
  /** @type {Made | undefined} the result of the last call of `make` */
  let made;
  /**
   * @type {Words | undefined} the translations that were in use when `made` was made; after a change of
   *   language `make` is called again
   */
  let of;
  return () => {
    if (made === undefined || of !== words) [made, of] = [make(), words];
    return made;
  };
}

/**
 * Return a text with its {names} replaced by values.
 *
 * @param {string} text the text, in any language
 * @param {object} values name -> value
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
 * Return a value as text that can be put into a sentence: between control characters that keep its writing
 * direction from changing the order of the words around it (like `<bdi>` in HTML). `isolated` in
 * web/languages/i18n.py does the same.
 *
 * @param {string} value the value as text
 */
function apart(value) {
  const turns = globalThis.document?.dir === "rtl" ? !PLAIN_NUMBER.test(value) : RIGHT_TO_LEFT.test(value);
  return turns ? `\u2068${value}\u2069` : value;
}

/**
 * Return the text in the reader's language, with its {names} filled in. The call must contain the English
 * text in double quotes, because a program collects the texts for translators.
 *
 * @param {string} text the English text
 * @param {object} [values] the values for the {names}
 */
export function t(text, values = {}) {
  return fill(words[text]?.[0] ?? text, values);
}

/**
 * Return the text for a number of things in the reader's language, in the right form of the plural. {n} in
 * the text is the number.
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
