/* Finds the clinic's own texts in the language of the page. The server sends them with the page. A text
   without a translation is shown in the clinic's main language. */
import { html, nothing } from "./lit.js";
import { pageData } from "./page.js";

/**
 * @typedef {{ main?: string, texts?: Record<string, Record<string, string>> }} OwnTexts `main`: the code of
 *   the clinic's main language; `texts`: language -> text in the main language -> its translation
 */

/**
 * @type {OwnTexts | undefined} the clinic's texts that this page has; undefined until they are first read
 */
let known;

const held = () => {
  known ??= /** @type {OwnTexts} */ (document.querySelector("#boot") ? pageData() : {});
  return known.texts;
};

/**
 * Return true if this page shows texts of the clinic, but does not have them in this language.
 *
 * @param {string} lang the code of the language
 */
export const lacksOwnTexts = (lang) => held() !== undefined && held()?.[lang] === undefined;

/**
 * Read the clinic's texts in another language from the page that the server has drawn in that language.
 *
 * @param {string} drawn the HTML of that page
 */
export function takeOwnTexts(drawn) {
  const data = new DOMParser().parseFromString(drawn, "text/html").querySelector("#boot")?.textContent;
  if (data) known = { ...known, texts: { ...known?.texts, ...JSON.parse(data).texts } };
}

/**
 * Return a text in the language of the page, with the code of its language. On pages of staff, texts are not
 * translated, and the language is undefined.
 *
 * @param {string} text the text as the clinic wrote it
 * @returns {{ text: string, lang: string | undefined }}
 */
export function ownText(text) {
  const { lang } = document.documentElement;
  const found = held()?.[lang]?.[text];
  return found === undefined ? { text, lang: known?.main } : { text: found, lang };
}

/**
 * Draw one of the clinic's own texts, with its language and direction.
 *
 * @param {string} written the text as the clinic wrote it
 */
export function ownWords(written) {
  const { text, lang } = ownText(written);
  return html`<bdi lang=${lang ?? nothing}>${text}</bdi>`;
}
