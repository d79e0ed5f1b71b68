/* The clinic's own texts in the language of the page, as the server told them to the page; a text without a
   translation stays in the clinic's main language. */
import { html, nothing } from "./lit.js";
import { pageData } from "./page.js";

/** @typedef {{ main?: string, texts?: Record<string, Record<string, string>> }} OwnTexts */

/** @type {OwnTexts | undefined} */
let known;

/**
 * A text as it is shown, and its language; undefined on pages of staff, who read texts as they are.
 *
 * @param {string} text
 * @returns {{ text: string, lang: string | undefined }}
 */
export function ownText(text) {
  known ??= /** @type {OwnTexts} */ (document.querySelector("#boot") ? pageData() : {});
  const { lang } = document.documentElement;
  const found = known.texts?.[lang]?.[text];
  return found === undefined ? { text, lang: known.main } : { text: found, lang };
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
