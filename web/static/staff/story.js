/* Shows a visit's history, with each person's actions, and its Case Information, in a dialog over the
   list. */
import { caseInformation } from "../shared/case.js";
import { contactNote } from "../shared/contacts.js";
import { minutes, moment } from "../shared/format.js";
import { html, nothing } from "../shared/lit.js";
import { t } from "../shared/text.js";
import { quoted } from "../shared/ui.js";
import { callsView } from "./calls.js";
import { LEVELS } from "./queue.js";
import { levelWords } from "./urgency.js";

/**
 * @typedef {object} Story the history of a visit, as far as it is loaded
 * @property {Protocol.HistoryPart[] | null} events null while the events load
 * @property {Protocol.CallPart[] | null} calls the figures of each party's call; null while they load
 * @property {Protocol.CasePart | undefined} info the patient's Case Information; undefined while it loads
 * @property {string | null} refused the sentence about why there is no Case Information, or null
 */

/**
 * @type {Record<string, (by: string) => string>} kind of event -> a function that returns its sentence,
 *   from the name of the person who caused it
 */
const SENTENCES = {
  opened: (by) => t("{by} entered the setup guide.", { by }),
  guide_finished: (by) => t("{by} finished the setup guide.", { by }),
  photo_added: (by) => t("{by} added a photo.", { by }),
  photo_removed: (by) => t("{by} removed a photo.", { by }),
  assigned: (by) => t("{by} assigned it.", { by }),
  urgency_set: (by) => t("{by} set how urgent it is.", { by }),
  moved: (by) => t("{by} moved it to another waiting area.", { by }),
  unassigned: (by) => t("{by} took the assignment back.", { by }),
  assignment_lapsed: () => t("The assignment was not taken up in time."),
  claimed: (by) => t("{by} claimed it.", { by }),
  started: (by) => t("{by} pressed Start Session.", { by }),
  went_live: (by) => t("{by} pressed Start Session too: the session began.", { by }),
  guest_started: (by) => t("{by} joined the session.", { by }),
  paused: () => t("The session paused: somebody was away for too long."),
  hung_up: (by) => t("{by} left the call.", { by }),
  invited: (by) => t("{by} invited a guest.", { by }),
  dismissed: (by) => t("{by} sent a guest away.", { by }),
  released: (by) => t("{by} returned it to the queue.", { by }),
  returned: () => t("It returned to the queue: the provider was away for too long."),
  transferred: (by) => t("{by} handed it over.", { by }),
  ended: (by) => t("{by} ended the session.", { by }),
  declined: (by) => t("{by} declined the request.", { by }),
  contact_agreed: (by) => t("{by} chose how to be told of their turn.", { by }),
  contacted: () => t("The patient was away and was written to."),
  escalated: () => t("Nobody had claimed it: staff without an open page were written to."),
  not_reached: () => t("The message to a member of staff could not be delivered."),
  withdrawn: (by) => t("{by} left.", { by }),
  patient_done: (by) => t("{by} left the call and was done.", { by }),
  expired: () => t("It expired."),
  closed: () => t("The clinic closed before anybody claimed it."),
  reopened: (by) => t("{by} reopened it.", { by }),
  tagged: (by) => t("{by} set the tags.", { by }),
  surveyed: (by) => t("{by} answered the survey.", { by }),
};

/**
 * Draw how long the patient waited until the claim, calculated from the events.
 *
 * @param {Protocol.HistoryPart[]} events the events of the visit
 */
function figures(events) {
  const at = (/** @type {string} */ kind) => events.find((event) => event.kind === kind)?.at_ms;
  const [opened, claimed] = [at("opened"), at("claimed")];
  return opened && claimed
    ? html`<p class="quiet">${t("Waited {time} until the claim.", { time: minutes(claimed - opened) })}</p>`
    : nothing;
}

/**
 * Draw the note of an event, such as the result of a message or a level of urgency.
 *
 * @param {Protocol.HistoryPart} event the event
 */
function noteOf({ kind, note, at_ms }) {
  if (kind === "contact_agreed") return nothing;
  if (kind === "contacted" && note) return html` <span class="quiet">${contactNote(note, at_ms)}</span>`;
  const level = kind === "urgency_set" ? LEVELS.find((level) => level === note) : undefined;
  return quoted(level ? levelWords(level, { level_words: {} }) : note);
}

/**
 * Draw a visit's history and its Case Information, as the content of a dialog.
 *
 * @param {Story} story the history of the visit
 * @param {{ now_ms: number, close: () => void }} options `now_ms`: the time now, in ms since 1970; `close()`
 *   closes the dialog
 */
export function storyView(story, { now_ms, close }) {
  const name = story.info?.patient.name ?? t("Visit");
  return html`<h2 id="story-title"><bdi>${name}</bdi></h2>
    ${story.refused ? html`<p class="quiet">${story.refused}</p>` : caseInformation(story.info, now_ms)}
    <h3 class="of-case">${t("History")}</h3>
    ${
      story.events === null
        ? html`<p class="quiet">${t("Opening the history…")}</p>`
        : html`${figures(story.events)}
            <ol class="story">
              ${story.events.map(
                (event) =>
                  html`<li>
                    <span class="num quiet small">${moment(event.at_ms)}</span>
                    <span
                      >${(SENTENCES[event.kind] ?? (() => event.kind))(
                        event.by?.name ?? t("The server"),
                      )}${noteOf(event)}</span
                    >
                  </li>`,
              )}
            </ol>
            ${callsView(story.calls)}`
    }
    <div class="row"><button type="button" class="btn main" @click=${close}>${t("Close")}</button></div>`;
}
