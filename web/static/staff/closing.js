/* Draws the notices of closing time above On-Demand Requests: which patients still wait then, and what
   happens to their visits. */
import { clock } from "../shared/format.js";
import { html, nothing } from "../shared/lit.js";
import { t, tn } from "../shared/text.js";

/** @type {Record<Protocol.ClosingPart["rule"], () => string>} */
const THEN = {
  keep: () => t("They keep their places."),
  ask: () => t("Those who still wait then are asked to stay or leave."),
  end: () => t("Visits that nobody has claimed then end."),
};

/** @type {(n: number) => string} */
export const waitWords = (n) => tn("{n} patient waits.", "{n} patients wait.", n);
/** @type {(n: number) => string} */
export const stillWords = (n) => tn("{n} patient still waits.", "{n} patients still wait.", n);

/**
 * @typedef {object} Closing a closing time, and the rows of the patients who wait then
 * @property {string} words
 * @property {Protocol.Row[]} rows
 * @property {boolean} asks true if staff must decide what to do
 */

/**
 * Return the closing times that are near or have passed while patients wait.
 *
 * @param {Protocol.Row[]} all whose patients wait
 * @param {Pick<Protocol.QueueLimits, "closing">} limits
 * @param {Record<string, string>} areas the waiting areas' names
 * @returns {Closing[]}
 */
export function closings(all, { closing }, areas) {
  return Object.entries(closing ?? {}).flatMap(([id, { at_ms, over, rule }]) => {
    const rows = all.filter(({ area }) => (area?.id ?? "") === id);
    if (!rows.length) return [];
    const named = { area: areas[id] ?? "", time: clock(at_ms) };
    const head = over
      ? id
        ? t("{area} closed at {time}.", named)
        : t("The clinic closed at {time}.", named)
      : id
        ? t("{area} closes at {time}.", named)
        : t("The clinic closes at {time}.", named);
    const then = over ? stillWords(rows.length) : `${waitWords(rows.length)} ${THEN[rule]()}`;
    return [{ words: `${head} ${then}`, rows, asks: over && rule === "ask" }];
  });
}

/**
 * Draw a notice for each closing time; an administrator who is asked can end the visits.
 *
 * @param {ListView} view the state of the page
 */
export function closingNotices({ all, limits, areas, me, act }) {
  return closings(all, limits, areas).map(
    ({ words, rows, asks }) =>
      html`<div class="notice amber">
        <p>${words} ${asks ? t("Please decide: claim them, or end their visits.") : nothing}</p>
        ${
          asks && me.role === "admin"
            ? html`<button type="button" class="btn" @click=${() => act.closeLine(rows)}>
                ${t("End their visits…")}
              </button>`
            : nothing
        }
      </div>`,
  );
}
