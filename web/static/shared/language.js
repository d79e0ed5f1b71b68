/* Draws and applies the choice of language on a live page. The page is not loaded again, so a call
   continues and typed text is kept. The server lists the languages, and remembers the choice for the next
   page. */
import { html, nothing } from "./lit.js";
import { lacksOwnTexts, takeOwnTexts } from "./own_texts.js";
import { learn, t } from "./text.js";
import { toast } from "./ui.js";

export class Language {
  #all;
  #changed;
  #code = document.documentElement.lang;

  /**
   * Prepare the choice among these languages.
   *
   * @param {PageLanguage[]} languages `code`, `name` and `words` of each language; `words` is the address of
   *   the module with its translations, null for English
   * @param {() => void} changed is called after each change, and draws the page
   */
  constructor(languages, changed) {
    this.#all = languages;
    this.#changed = changed;
  }

  /** Draw a row of all languages, for the bottom of a page; draw nothing if there is only one language. */
  view() {
    if (this.#all.length < 2) return nothing;
    return html`<nav class="languages" aria-label=${t("Language")}>
      ${this.#all.map(
        (language) =>
          html`<a
            href="?lang=${language.code}"
            lang=${language.code}
            dir=${language.dir}
            translate="no"
            hreflang=${language.code}
            aria-current=${language.code === this.#code ? "true" : nothing}
            @click=${(/** @type {MouseEvent} */ event) => this.#follow(event, language)}
            >${language.name}</a>`,
      )}
    </nav>`;
  }

  /** Return the other languages, as entries of a menu: {words, lang, act}. */
  entries() {
    return this.#all
      .filter(({ code }) => code !== this.#code)
      .map((language) => ({ words: language.name, lang: language.code, act: () => this.#take(language) }));
  }

  /**
   * Change the language when its link is pressed; with a modifier key, let the browser open a new tab.
   *
   * @param {MouseEvent} event the press of the link
   * @param {PageLanguage} language the chosen language
   */
  #follow(event, language) {
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.button) return;
    event.preventDefault();
    this.#take(language);
  }

  /**
   * Load the translations, draw the page in the language, and inform the server. Show a message if the
   * translations cannot be loaded.
   *
   * @param {PageLanguage} language the chosen language
   */
  async #take({ code, words, dir }) {
    try {
      learn(...(words ? (await import(words)).default : []));
    } catch {
      return toast(t("Not connected. Nothing was changed."), { bad: true });
    }
    this.#code = document.documentElement.lang = code;
    document.documentElement.dir = dir;
    const skip = document.querySelector(".skip");
    if (skip) skip.textContent = t("Skip to the page’s content");
    document.dispatchEvent(new Event("language"));
    this.#changed();
    // If this request fails, the page still uses the language, but the clinic's own texts stay in the
    // clinic's main language.
    try {
      const method = lacksOwnTexts(code) ? "GET" : "HEAD";
      const answer = await fetch(`${location.pathname}?lang=${code}`, { method });
      if (method === "HEAD" || !answer.ok) return;
      takeOwnTexts(await answer.text());
      this.#changed();
    } catch {}
  }
}
