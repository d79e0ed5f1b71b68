/* The clinic's own texts in the language of the page, as the server sent them with the page; a text
   without a translation is shown in the clinic's main language. */
import { html, nothing } from "./lit.js";
import { pageData } from "./page.js";

/** @typedef {{ main?: string, texts?: Record<string, Record<string, string>> }} OwnTexts */

/** @type {OwnTexts | undefined} */
let known;

const held = () => {
  known ??= /** @type {OwnTexts} */ (document.querySelector("#boot") ? pageData() : {});
  return known.texts;
};

/**
 * True if this page shows texts of the clinic, but does not have them in this language.
 *
 * @param {string} lang
 */
export const lacksOwnTexts = (lang) => held() !== undefined && held()?.[lang] === undefined;

/**
 * Read the clinic's texts in another language from this page as the server draws it in that language.
 *
 * @param {string} drawn the HTML of the page
 */
export function takeOwnTexts(drawn) {
  const data = new DOMParser().parseFromString(drawn, "text/html").querySelector("#boot")?.textContent;
  if (data) known = { ...known, texts: { ...known?.texts, ...JSON.parse(data).texts } };
}

/**
 * A text as it is shown, and its language; the language is undefined on pages of staff, who read texts
 * untranslated.
 *
 * @param {string} text
 * @returns {{ text: string, lang: string | undefined }}
 */
export function ownText(text) {
  const { lang } = document.documentElement;
  const found = held()?.[lang]?.[text];
  return found === undefined ? { text, lang: known?.main } : { text: found, lang };
}

/**
 * One of the clinic's own texts, drawn with its language and direction.
 *
 * @param {string} written
 */
export function ownWords(written) {
  const { text, lang } = ownText(written);
  return html`<bdi lang=${lang ?? nothing}>${text}</bdi>`;
}
