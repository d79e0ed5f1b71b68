/* The words of a page in the reader's language. The English text is the key: what nobody translated stays
   English. A catalogue is a module of its own (/static/…/locale/es.js), which a page loads before its other
   modules and which teaches this one; a live page takes another language while it runs (`language.js`). Pure
   but for that. */
const ENGLISH = ["en", (n) => (n === 1 ? 0 : 1), {}];
let [locale, chooseForm, words] = ENGLISH;

/**
 * Take a language: its BCP 47 tag, how the form of a plural is chosen, and the forms of each text by the
 * English one. None is English.
 */
export function learn(...language) {
  [locale, chooseForm, words] = language.length ? language : ENGLISH;
}

/**
 * Words that a constant holds, made anew after each change of language: `const SIZES = inEach(() => […])`,
 * read as `SIZES()`.
 */
export function inEach(make) {
  let made = null;
  let of = null;
  return () => {
    if (of !== words) [made, of] = [make(), words];
    return made;
  };
}

const fill = (text, values) =>
  text.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? values[name] : whole));

/**
 * The text in the reader's language, its {names} filled in. The key is written out in double quotes, so that
 * it can be collected.
 */
export function t(text, values = {}) {
  return fill(words[text]?.[0] ?? text, values);
}

/** The form of a text for a number of things; {n} is the number. */
export function tn(one, many, n, values = {}) {
  const text = words[one]?.[chooseForm(n)] ?? (n === 1 ? one : many);
  return fill(text, { n, ...values });
}

/**
 * What `Intl` is to write dates, times and numbers in: the browser's own variety of the page's language, if
 * it has one.
 */
export function intlLocale() {
  const language = locale.split("-")[0];
  return globalThis.navigator?.languages?.find((tag) => tag.split("-")[0] === language) ?? locale;
}
