/* Draws the header of the video session page: the organisation, the connection, the buttons of the panels
   beside the call, and a menu of rarer actions. */
import { html, nothing, repeat } from "../shared/lit.js";
import { t } from "../shared/text.js";
import { closeMenu } from "../shared/ui.js";

/** @typedef {"own" | "chat"} AsideId the panel of the role, or the messages */
/**
 *
 * @typedef {Aside & { id: AsideId, count?: number }} Beside a panel beside the call; `count`: the number of
 *   unread messages
 */

/** Tone of the sentence about the connection -> the CSS class of its label in the header. */
export const TONES = { good: "", quiet: "off", amber: "amber" };

/**
 * Draw the header.
 *
 * @param {{
 *   home: Drawn,
 *   title: string,
 *   since_ms: number | null,
 *   quality: [text: string, tone: Tone],
 *   asides: Beside[],
 *   open: AsideId | null,
 *   show: (which: AsideId | null) => void,
 *   entries: Entry[],
 * }} view `home`: the drawn link to the first page; `since_ms`: the time at which the call began, in ms since
 *   1970, or null; `quality`: the sentence about the connection; `asides`: the panels with a button; `open`:
 *   the panel that is open; `show()` opens a panel, or none; `entries`: the entries of the menu
 */
export function bar({ home, title, since_ms, quality: [quality, tone], asides, open, show, entries }) {
  return html`<header class="bar">
    ${home}
    <h1 tabindex="-1" data-focus>${title}</h1>
    <span class="marks">
      <span class="state">
        ${
          since_ms
            ? html`<span class="chip off"><since-clock since=${since_ms}></since-clock></span>`
            : nothing
        }
        <span class="chip ${TONES[tone]}" role="status" translate="no"
          ><span class="dot"></span>${quality}</span>
      </span>
      ${repeat(
        // `repeat` keeps one element for each panel. Otherwise an element could become the button of another
        // panel while a person presses it.
        asides,
        ({ id }) => id,
        ({ id, label, short = label, count }) =>
          html`<button
            type="button"
            class="btn"
            aria-expanded=${open === id ? "true" : "false"}
            @click=${() => show(open === id ? null : id)}>
            <span class="full">${label}</span><span class="short" aria-hidden="true">${short}</span
            >${count ? html` <span class="chip amber num">${count}</span>` : nothing}
          </button>`,
      )}
      ${moreMenu(entries)}
    </span>
  </header>`;
}

/**
 * Draw the menu of rarer actions; nothing if it has no entries.
 *
 * @param {Entry[]} entries the entries of the menu
 */
function moreMenu(entries) {
  if (!entries.length) return nothing;
  const run = (/** @type {On<HTMLButtonElement>} */ event, /** @type {() => void} */ act) => {
    closeMenu(event.currentTarget);
    act();
  };
  return html`<details class="more">
    <summary class="btn">${t("More")}</summary>
    <div class="card">
      ${entries.map(
        ({ words, lang, act }) =>
          html` <button
            type="button"
            class="btn plain"
            lang=${lang ?? nothing}
            @click=${(/** @type {On<HTMLButtonElement>} */ event) => run(event, act)}>
            ${words}
          </button>`,
      )}
    </div>
  </details>`;
}
