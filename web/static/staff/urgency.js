/* Draws how urgent a request is: the level in words and the reason. This script also shows the dialog that
   sets the level. */
import { html, nothing } from "../shared/lit.js";
import { inEach, t } from "../shared/text.js";
import { fillIn } from "../shared/ui.js";
import { LEVELS, levelOf } from "./queue.js";

/** @typedef {Protocol.UrgencyPart["level"]} Level a level of urgency: emergency, urgent or routine */

const WORDS = inEach(() => ({
  emergency: t("Emergency"),
  urgent: t("Urgent"),
  routine: t("Routine"),
}));
const COLOURS = { emergency: "red", urgent: "amber", routine: "off" };

/**
 * Return a level in the clinic's words; if the clinic has none, in the page's words.
 *
 * @param {Level} level the level
 * @param {Pick<Protocol.QueueLimits, "level_words">} limits the settings of the queue, with the clinic's
 *   words for the levels
 */
export const levelWords = (level, { level_words }) => level_words?.[level] || WORDS()[level];

/**
 * Return why a request has its level: because of an answer of the patient, or because a person has set the
 * level.
 *
 * @param {Protocol.UrgencyPart} urgency the urgency of the request
 */
export function reasonWords({ by, answer }) {
  return by ? t("set by {name}", by) : t("answered “{answer}”", { answer });
}

/**
 * Draw the level of a request and its reason; draw nothing if it has no level.
 *
 * @param {Protocol.Row} request the row of the request
 * @param {Protocol.QueueLimits} limits the settings of the queue
 */
export function urgencyChip({ urgency }, limits) {
  if (!urgency) return nothing;
  return html`<span class="chip ${COLOURS[urgency.level]}"
      >${levelWords(urgency.level, limits)}<span class="sr">:</span></span>
    <span class="small why"><bdi>${reasonWords(urgency)}</bdi></span>`;
}

/**
 * Ask for a level in a dialog. Return {level}, or null if the dialog was closed.
 *
 * @param {Protocol.Row} request the row of the request
 * @param {Protocol.QueueLimits} limits the settings of the queue
 */
export function askUrgency(request, limits) {
  const now = levelOf(request);
  return fillIn({
    title: t("How urgent is {name}?", { name: request.name }),
    text: limits.urgent_first
      ? t("More urgent patients come first in the list. Your name is shown with the level.")
      : t("Shown to your colleagues with your name. The order of the list stays that of the wait."),
    yes: t("Set"),
    no: t("Cancel"),
    fields: html`<fieldset class="choices">
      <legend class="sr">${t("Urgency")}</legend>
      ${LEVELS.map(
        (level) =>
          html`<label class="choice"
            ><input type="radio" name="level" value=${level} ?checked=${level === now} required /><span
              >${levelWords(level, limits)}</span></label>`,
      )}
    </fieldset>`,
  });
}
