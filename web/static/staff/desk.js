/* Shows the dialogs for actions on a visit that need a choice: assign, decline, hand over, invite. Each
   function returns the choice, or null. */
import { html, nothing } from "../shared/lit.js";
import { t } from "../shared/text.js";
import { fillIn } from "../shared/ui.js";
import { isLicensed, unlicensedWords } from "./licences.js";

/**
 * @typedef {Protocol.StaffPart & { count: number, licensed: boolean }} Colleague `count`: the number of
 *   visits that they have claimed; `licensed`: true if the clinic's records allow them to see this patient
 */
/**
 * @typedef {object} Desk the staff, and the visits that they have claimed
 * @property {Map<string, Protocol.StaffPart>} staff id -> person
 * @property {import("./sessions.js").Sessions} sessions the visits that they have claimed
 */
/** @typedef {Protocol.VisitInvite["relation"]} Relation the relation of a guest to the patient */

/**
 * @type {Record<Relation, () => string>} relation of a guest to the patient -> a function that returns it
 *   in words
 */
const RELATIONS = {
  interpreter: () => t("Interpreter"),
  family: () => t("Family or carer"),
  specialist: () => t("Specialist"),
  trainee: () => t("Trainee"),
};

/**
 * Return the colleagues on call in this order: people licensed for the patient's region first; within each
 * group, people in no session first; then people with fewer visits.
 *
 * @param {Desk} desk the staff and their visits
 * @param {{ but: string | undefined, state: string | undefined }} options `but`: the id of a person to
 *   leave out; `state`: the region where the patient is, if it is known
 * @returns {Colleague[]}
 */
export function colleagues({ staff, sessions }, { but, state }) {
  return [...staff.values()]
    .filter((person) => person.on_call && person.id !== but)
    .map((person) => ({
      ...person,
      count: sessions.of(person.id).length,
      licensed: state === undefined || isLicensed(person, { state }),
    }))
    .sort(
      (a, b) =>
        Number(b.licensed) - Number(a.licensed) ||
        Number(a.in_session) - Number(b.in_session) ||
        a.count - b.count ||
        a.name.localeCompare(b.name),
    );
}

/** From this number of colleagues on, the dialog has a search field. */
const MANY = 8;

/**
 * Show only the colleagues whose name contains the typed text. The chosen colleague stays visible.
 *
 * @param {On<HTMLInputElement>} event the input in the search field
 */
function searchNames({ currentTarget: field }) {
  const typed = field.value.trim().toLocaleLowerCase();
  /** @type {Iterable<HTMLElement>} the colleagues in the dialog, one element each */
  const choices = field.form?.querySelectorAll(".choice") ?? [];
  for (const choice of choices) {
    const chosen = choice.querySelector("input")?.checked;
    choice.hidden = !chosen && !(choice.dataset.name ?? "").toLocaleLowerCase().includes(typed);
  }
}

/**
 * Return how busy a colleague is, in words.
 *
 * @param {Colleague} person the colleague
 */
function busyWords(person) {
  if (person.in_session) return t("in a session");
  return person.count ? t("{n} claimed", { n: person.count }) : t("free");
}

/**
 * Show a dialog to choose one of these colleagues. Return the form's values, with the id in `to`; null if the
 * dialog was closed.
 *
 * @param {{ title: string, text: string, yes: string, people: Colleague[] }} question the texts of the
 *   dialog, and the colleagues
 */
function chooseColleague({ title, text, yes, people }) {
  if (!people.length)
    return fillIn({
      title,
      text: t("Nobody else is on call right now."),
      fields: nothing,
      yes: null,
      no: t("Close"),
    });
  return fillIn({
    title,
    text,
    yes,
    no: t("Cancel"),
    fields: html`${
      people.length < MANY
        ? nothing
        : html`<div class="field">
            <label for="colleague-search">${t("Search by name")}</label
            ><input
              class="input"
              id="colleague-search"
              type="search"
              autocomplete="off"
              @input=${searchNames} />
          </div>`
    }
      <fieldset class="choices">
        <legend class="sr">${t("To whom?")}</legend>
        ${people.map(
          (person, index) =>
            html` <label class="choice" data-name=${person.name}
              ><input type="radio" name="to" value=${person.id} ?checked=${index === 0} required /><span
                ><bdi>${person.name}</bdi> <span class="quiet">${busyWords(person)}</span> ${
                  person.licensed ? nothing : html`<b class="unlicensed">· ${unlicensedWords()}</b>`
                }</span></label>`,
        )}
      </fieldset>`,
  });
}

/**
 * Show a dialog to choose the colleague to whom a request will be assigned. Return {to}, the colleague's id;
 * null if the dialog was closed.
 *
 * @param {Protocol.Row} request the row of the request
 * @param {Desk} desk the staff and their visits
 */
export function askAssign(request, desk) {
  return chooseColleague({
    title: t("Assign {name}", { name: request.name }),
    text: t(
      "They are notified and claim it from their own list. If they do not claim it in time, everybody can.",
    ),
    yes: t("Assign"),
    people: colleagues(desk, { but: request.assignee?.id, state: request.state }),
  });
}

/**
 * Ask to which colleague a visit is handed over. Return {to}, the colleague's id; null if the dialog was
 * closed.
 *
 * @param {string} name the patient's name
 * @param {string} me the id of the signed-in person
 * @param {Desk} desk the staff and their visits
 */
export function askTransfer(name, me, desk) {
  return chooseColleague({
    title: t("Hand {name} over", { name }),
    text: t(
      "The patient goes back to their place in line and is told so; your colleague is notified and claims.",
    ),
    yes: t("Hand over"),
    people: colleagues(desk, { but: me, state: undefined }),
  });
}

/**
 * Return the sentence about how a declined patient is informed.
 *
 * @param {boolean} mails true if the server can send mails (SMTP is configured)
 */
export function declineWords(mails) {
  return mails
    ? t("The patient is told on the screen at once and by email, with the reason if you give one.")
    : t("The patient is told on the screen at once, with the reason if you give one. No email is sent.");
}

/**
 * Ask for the reason to decline a request. Return {reason}; null if the dialog was closed.
 *
 * @param {Protocol.Row} request the row of the request
 * @param {boolean} mails true if the server can send mails (SMTP is configured)
 */
export function askDecline(request, mails) {
  return fillIn({
    title: t("Decline {name}?", { name: request.name }),
    danger: true,
    yes: t("Decline"),
    no: t("Keep in line"),
    text: declineWords(mails),
    fields: html`<div class="field">
      <label for="decline-reason"
        >${t("Reason for the patient")} <span class="optional">${t("(optional)")}</span></label>
      <textarea class="input" id="decline-reason" name="reason" rows="3" maxlength="1000"></textarea>
    </div>`,
  });
}

/** Ask for the guest to invite. Return {name, relation}; null if the dialog was closed. */
export function askInvite() {
  return fillIn({
    title: t("Invite a guest"),
    yes: t("Make the link"),
    no: t("Cancel"),
    text: t("A one-time link, to be used soon. Everybody sees the guest by this name."),
    fields: html`<div class="field">
        <label for="guest-name">${t("Name")}</label
        ><input class="input" id="guest-name" name="name" maxlength="100" required autocomplete="off" />
      </div>
      <div class="field">
        <label for="guest-relation">${t("Who they are")}</label
        ><select class="input" id="guest-relation" name="relation">
          ${Object.entries(RELATIONS).map(([code, words]) => html`<option value=${code}>${words()}</option>`)}
        </select>
      </div>`,
  });
}

/**
 * Return the relation of a guest in words.
 *
 * @param {Relation} relation the guest's relation to the patient
 */
export function relationWords(relation) {
  return RELATIONS[relation]?.() ?? "";
}

/**
 * Ask for a waiting area. Return {area}, its id, or "" for no area; null if the dialog was closed.
 *
 * @param {Protocol.Row} request the row of the request
 * @param {Record<string, string>} areas id of an area -> its name
 */
export function askArea(request, areas) {
  const others = [...Object.entries(areas), ["", t("No area")]].filter(
    ([id]) => id !== (request.area?.id ?? ""),
  );
  return fillIn({
    title: t("Move {name} to another waiting area", { name: request.name }),
    text: t("The patient keeps the time that they have waited, and is told where they wait now."),
    yes: t("Move"),
    no: t("Cancel"),
    fields: html`<fieldset class="choices">
      <legend class="sr">${t("Waiting area")}</legend>
      ${others.map(
        ([id, name], index) =>
          html`<label class="choice"
            ><input type="radio" name="area" value=${id} ?checked=${index === 0} required /><span
              ><bdi>${name}</bdi></span></label>`,
      )}
    </fieldset>`,
  });
}
