/* Carries out the actions of staff on visits: assign, decline, return to the queue, reopen; and in their
   own visits hand over and invite guests. Each action asks the person for confirmation or a choice, and shows
   the result. */
import { html } from "../shared/lit.js";
import { here } from "../shared/page.js";
import { refusalWords } from "../shared/refusals.js";
import { t } from "../shared/text.js";
import { announce, ask, toast } from "../shared/ui.js";
import { askArea, askAssign, askDecline, askInvite, askTransfer, relationWords } from "./desk.js";
import { closeLine } from "./on_call.js";
import { LEVELS } from "./queue.js";
import { storyView } from "./story.js";
import { askTags } from "./tags.js";
import { askUrgency } from "./urgency.js";

const failed = (/** @type {unknown} */ error) => toast(refusalWords(error), { bad: true });

export class Acts {
  #client;
  // The two lists that the server keeps current: `queue` (the waiting patients) and `sessions` (the claimed
  // visits).
  #people;
  #drawer;
  #me;
  #guests;
  #areas;
  #tags;
  #mails;
  #claimed;

  /**
   * Prepare the actions that the signed-in person may carry out.
   *
   * @param {{
   *   client: import("../signalling.js").SignallingClient,
   *   queue: import("./queue.js").Queue,
   *   sessions: import("./sessions.js").Sessions,
   *   drawer: import("../shared/ui.js").Drawer,
   *   me: Account,
   *   guests: boolean,
   *   areas: Record<string, string>,
   *   tags: string[],
   *   mails: boolean,
   *   claimed: (visit: string) => void,
   * }} options `queue` and `sessions`: the waiting patients and the claimed visits, which the server keeps
   *   current; `drawer`: the dialog for a visit's history; `me`: the signed-in person; `guests`: true if this
   *   clinic allows guests; `areas`: id of a waiting area -> its name; `tags`: the clinic's tags; `mails`:
   *   true if the server can send mails (SMTP is configured); `claimed(visit)` shows the page of a visit that
   *   this person has reopened
   */
  constructor({ client, queue, sessions, drawer, me, guests, areas, tags, mails, claimed }) {
    this.#client = client;
    this.#people = { queue, sessions };
    this.#drawer = drawer;
    this.#me = me;
    this.#guests = guests;
    this.#areas = areas;
    this.#tags = tags;
    this.#mails = mails;
    this.#claimed = claimed;
  }

  get #staff() {
    return { staff: this.#people.queue.staff, sessions: this.#people.sessions };
  }

  /**
   * Send a request; show a message if it is refused.
   *
   * @template {keyof Protocol.Requests} Type
   * @param {import("../signalling.js").Asked<Type>} message the request without its id
   * @param {(answer: Protocol.Answers[Type]) => void} done is called with the answer
   */
  #request(message, done = () => {}) {
    return this.#client.request(message).then(done, failed);
  }

  /**
   * The actions for the rows of On-Demand Requests: name of the action -> the function that carries it out.
   */
  get onRequests() {
    return {
      assign: (/** @type {Protocol.Row} */ request) => this.#assign(request),
      unassign: (/** @type {Protocol.Row} */ { visit }) => this.#request({ type: "visit.unassign", visit }),
      move: (/** @type {Protocol.Row} */ request) => this.#move(request),
      urgency: (/** @type {Protocol.Row} */ request) => this.#urgency(request),
      decline: (/** @type {Protocol.Row} */ request) => this.#decline(request),
      closeLine: (/** @type {Protocol.Row[]} */ rows) => this.#closeLine(rows),
      release: (/** @type {Protocol.SessionRow} */ row) => this.#release(row),
      reopen: (/** @type {{ visit: string }} */ { visit }) =>
        this.#request({ type: "visit.reopen", visit }, () => this.#claimed(visit)),
      story: (/** @type {string} */ visit) => this.story(visit),
    };
  }

  /**
   * Return the menu entries for this person's video session; none if `visit` is absent.
   *
   * @param {Protocol.VisitPart | null | undefined} visit the state of the visit
   * @returns {Entry[]}
   */
  inSession(visit) {
    if (!visit) return [];
    const guests = Object.entries(visit.parties).filter(([key]) => key.startsWith("guest-"));
    return [
      { words: t("Hand over…"), act: () => this.#transfer(visit) },
      ...(this.#guests ? [{ words: t("Invite a guest…"), act: () => this.#invite(visit.id) }] : []),
      ...guests.map(([guest, party]) => ({
        words: t("Send {name} away", { name: party.name }),
        act: () => this.#dismiss(visit.id, guest, party),
      })),
    ];
  }

  /**
   * Ask for the tags of a visit, and set them.
   *
   * @param {{ visit: string, name: string, tags: string[] }} of the visit's id, the patient's name, and the
   *   tags so far
   * @param {(tags: string[]) => void} done is called with the new tags
   */
  async tag({ visit, name, tags: before }, done = () => {}) {
    const tags = await askTags(name, before, this.#tags);
    if (tags) this.#request({ type: "visit.tag", visit, tags }, () => done(tags));
  }

  /**
   * Ask to which colleague a request is assigned, and assign it.
   *
   * @param {Protocol.Row} request the row of the request
   */
  async #assign(request) {
    const chosen = await askAssign(request, this.#staff);
    if (chosen)
      this.#request({ type: "visit.assign", visit: request.visit, to: chosen.to }, () =>
        toast(
          t("{name} is assigned to {to}.", {
            name: request.name,
            to: this.#people.queue.staff.get(chosen.to)?.name ?? "",
          }),
        ),
      );
  }

  /**
   * Ask for confirmation, then end the visits of patients who still wait after closing time.
   *
   * @param {Protocol.Row[]} rows the patients who still wait after closing time
   */
  async #closeLine(rows) {
    const sure = await ask({
      title: t("End the visits of those who wait?"),
      text: t("They read that the clinic has closed, and how to come back. This cannot be undone."),
      yes: t("End their visits"),
      no: t("Cancel"),
      danger: true,
    });
    if (sure) await closeLine(this.#client, rows).catch(failed);
  }

  /**
   * Ask for a level of urgency, and set it.
   *
   * @param {Protocol.Row} request the row of the request
   */
  async #urgency(request) {
    const chosen = await askUrgency(request, this.#people.queue.limits);
    const level = LEVELS.find((level) => level === chosen?.level);
    if (level) this.#request({ type: "visit.urgency", visit: request.visit, level });
  }

  /**
   * Ask for a waiting area, and move the request there.
   *
   * @param {Protocol.Row} request the row of the request
   */
  async #move(request) {
    const chosen = await askArea(request, this.#areas);
    if (chosen)
      this.#request({ type: "visit.move", visit: request.visit, area: chosen.area }, () =>
        announce(t("Moved.")),
      );
  }

  /**
   * Ask for a reason, and decline the request.
   *
   * @param {Protocol.Row} request the row of the request
   */
  async #decline(request) {
    const given = await askDecline(request, this.#mails);
    if (!given) return;
    const reason = given.reason.trim() || null;
    // No message is shown here, because the server sends the person a notification, which the bell shows.
    this.#request({ type: "visit.decline", visit: request.visit, reason });
  }

  /**
   * Ask for confirmation, then return a claimed visit to the queue.
   *
   * @param {Protocol.SessionRow} row the row of the visit
   */
  async #release(row) {
    const sure = await ask({
      title: t("Return {name} to the queue?", { name: row.name }),
      yes: t("Return to queue"),
      no: t("Cancel"),
      text: t("The session with {provider} is interrupted; the patient goes back to their place in line.", {
        provider: row.claimant?.name ?? "",
      }),
    });
    if (sure) this.#request({ type: "visit.release", visit: row.visit });
  }

  /**
   * Ask to which colleague a visit is handed over, and hand it over.
   *
   * @param {Protocol.VisitPart} visit the state of the visit
   */
  async #transfer(visit) {
    const chosen = await askTransfer(visit.parties.patient.name, this.#me.id, this.#staff);
    if (chosen) this.#request({ type: "visit.transfer", visit: visit.id, to: chosen.to });
  }

  /**
   * Ask for a guest's name and relation, invite the guest, and show the link.
   *
   * @param {string} visit the visit's id
   */
  async #invite(visit) {
    const given = await askInvite();
    if (!given) return;
    const relation = /** @type {import("./desk.js").Relation} */ (given.relation);
    const guest = { name: given.name.trim(), relation };
    this.#request({ type: "visit.invite", visit, ...guest }, ({ path }) =>
      this.#showLink(guest, new URL(here(path), location.origin).href),
    );
  }

  /**
   * Show a guest's link in a dialog, with a button to copy it.
   *
   * @param {{ name: string, relation: import("./desk.js").Relation }} guest the invited guest
   * @param {string} link the guest's link
   */
  #showLink({ name, relation }, link) {
    const copy = () =>
      navigator.clipboard?.writeText(link).then(
        () => toast(t("The link was copied.")),
        () => {},
      );
    this.#drawer.show(
      "link-title",
      (close) =>
        html`<h2 id="link-title">${t("Link for {name}", { name })}</h2>
          <p>
            ${t(
              "Send it to them yourself. It opens once, and only for a short while; they join as {relation}.",
              { relation: relationWords(relation) },
            )}
          </p>
          <p>
            <label class="sr" for="guest-link">${t("Link")}</label><input
              class="input"
              id="guest-link"
              readonly
              .value=${link}
              @focus=${(/** @type {On<HTMLInputElement>} */ event) => event.target.select()} />
          </p>
          <div class="row">
            <button type="button" class="btn" @click=${close}>${t("Close")}</button
            ><button type="button" class="btn main" @click=${copy}>${t("Copy the link")}</button>
          </div>`,
    );
  }

  /**
   * Ask for confirmation, then dismiss a guest from the session.
   *
   * @param {string} visit the visit's id
   * @param {string} guest the key of the guest's party
   * @param {Protocol.PartyPart} party the state of the party
   */
  async #dismiss(visit, guest, party) {
    const sure = await ask({
      title: t("Send {name} away?", { name: party.name }),
      text: t("They no longer see or hear the session. Their link does not open again."),
      yes: t("Send away"),
      no: t("Cancel"),
      danger: true,
    });
    if (sure) this.#request({ type: "visit.dismiss", visit, guest });
  }

  /**
   * Show a visit's history over the current page.
   *
   * @param {string} visit the visit's id
   */
  story(visit) {
    const drawer = this.#drawer;
    /**
     * @type {import("./story.js").Story} the history of the visit, which is filled while the dialog is open
     */
    const story = { events: null, calls: null, info: undefined, refused: null };
    const drop = this.#client.subscribe(
      `case/${visit}`,
      (message) => {
        story.info = message.case;
        drawer.redraw();
      },
      (error) => {
        story.refused =
          error.code === "not_found"
            ? t(
                "Case Information is shown while the patient waits and you are on call, and to the " +
                  "visit's own provider and administrators.",
              )
            : refusalWords(error);
        drawer.redraw();
      },
    );
    this.#request({ type: "visit.history", visit }, ({ events, calls }) => {
      Object.assign(story, { events, calls });
      drawer.redraw();
    });
    drawer.show("story-title", (close) => storyView(story, { now_ms: this.#client.now(), close }), drop);
  }
}
