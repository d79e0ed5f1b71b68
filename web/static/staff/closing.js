/* Draws the notices about closing time above On-Demand Requests: how many patients wait, and what happens to
   their visits at closing time. */
import { clock } from "../shared/format.js";
import { html, nothing } from "../shared/lit.js";
import { t, tn } from "../shared/text.js";

/**
 * @type {Record<Protocol.ClosingPart["rule"], () => string>} rule of the clinic -> the sentence about what
 *   happens to waiting visits at closing time
 */
const THEN = {
  keep: () => t("They keep their places."),
  ask: () => t("Those who still wait then are asked to stay or leave."),
  end: () => t("Visits that nobody has claimed then end."),
};

/** @type {(n: number) => string} returns a sentence such as "2 patients wait." */
export const waitWords = (n) => tn("{n} patient waits.", "{n} patients wait.", n);
/** @type {(n: number) => string} returns a sentence such as "2 patients still wait." */
export const stillWords = (n) => tn("{n} patient still waits.", "{n} patients still wait.", n);

/**
 * @typedef {object} Closing a closing time, and the rows of the patients whom it concerns
 * @property {string} words the sentence of the notice
 * @property {Protocol.Row[]} rows the rows of the patients
 * @property {boolean} asks true if an administrator must decide whether these visits end
 */

/**
 * Return the closing times that are near or have passed while patients wait.
 *
 * @param {Protocol.Row[]} all the rows of all waiting patients
 * @param {Pick<Protocol.QueueLimits, "closing">} limits the settings of the queue, with its closing times
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
        ? t("{area} is closed.", named)
        : t("The clinic is closed.")
      : id
        ? t("{area} closes at {time}.", named)
        : t("The clinic closes at {time}.", named);
    const then = over ? stillWords(rows.length) : `${waitWords(rows.length)} ${THEN[rule]()}`;
    return [{ words: `${head} ${then}`, rows, asks: over && rule === "ask" }];
  });
}

/**
 * Draw a notice for each closing time. If the clinic lets an administrator decide, the notice has a button
 * that ends the visits.
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
