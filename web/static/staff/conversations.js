/* Handles the messages between staff and a waiting patient: draws them in a dialog over the list, and records
   which answers of patients this browser has shown. */
import { Chat, chatView } from "../shared/chat.js";
import { html } from "../shared/lit.js";
import { refusalWords } from "../shared/refusals.js";
import { t } from "../shared/text.js";
import { toast } from "../shared/ui.js";

/**
 * Return the sentence about when the patient will read a message, and whether they can answer.
 *
 * @param {Pick<Protocol.Row, "name" | "online">} request the row of the request: the patient's name, and
 *   whether they are online
 * @param {boolean} answers true if patients may answer while they wait
 */
export function readWords({ name, online }, answers) {
  const seen = online
    ? t("{name} sees your message at once.", { name })
    : t("{name} is offline: your message is shown when they are back.", { name });
  return `${seen} ${answers ? t("They can answer it.") : t("They cannot answer while they wait.")}`;
}

export class Conversations {
  #client;
  #queue;
  #drawer;
  #me;
  #answers;
  #redraw;
  /** @type {Map<string, number>} visit -> the time of the patient's newest answer that this page has shown */
  #seen = new Map();

  /**
   * Prepare the conversations with patients; no dialog is open.
   *
   * @param {{
   *   client: import("../signalling.js").SignallingClient,
   *   queue: import("./queue.js").Queue,
   *   drawer: import("../shared/ui.js").Drawer,
   *   me: Account,
   *   answers: boolean,
   *   redraw: () => void,
   * }} options `queue`: the rows of the list; `drawer`: the dialog to draw into; `me`: the signed-in person;
   *   `answers`: true if patients may answer while they wait; `redraw()` draws the page again
   */
  constructor({ client, queue, drawer, me, answers, redraw }) {
    this.#client = client;
    this.#queue = queue;
    this.#drawer = drawer;
    this.#me = me;
    this.#answers = answers;
    this.#redraw = redraw;
  }

  /**
   * Return true if the patient's newest answer has not been shown in this browser.
   *
   * @param {Protocol.Row} request the row of the request
   */
  isUnread({ visit, answered_ms = null }) {
    return answered_ms !== null && answered_ms > (this.#seen.get(visit) ?? 0);
  }

  /**
   * Open the dialog with the messages of a request, and follow new messages.
   *
   * @param {Protocol.Row} request the row of the request
   */
  open(request) {
    const { visit } = request;
    const chat = new Chat(this.#client, visit, "staff", () => this.#drawer.redraw(), this.#me.name);
    chat.start();
    this.#drawer.show(
      "conversation",
      (close) => this.#view(request, chat, close),
      () => chat.stop(),
    );
  }

  /**
   * Draw the messages for the dialog, and record that the patient's newest answer was shown.
   *
   * @param {Protocol.Row} request the row of the request
   * @param {Chat} chat the messages and the draft
   * @param {() => void} close closes the dialog
   */
  #view(request, chat, close) {
    const { visit, name } = request;
    const row = this.#queue.rows.find((row) => row.visit === visit);
    if (row?.answered_ms && this.isUnread(row)) {
      this.#seen.set(visit, row.answered_ms);
      this.#redraw();
    }
    return html`<h2 id="conversation">${t("Message to {name}", { name })}</h2>
      <p class="quiet small">
        ${row ? readWords(row, this.#answers) : t("{name} is not waiting any more.", { name })}
      </p>
      ${chatView(chat, { may: Boolean(row), failed: (error) => toast(refusalWords(error), { bad: true }) })}
      <div class="row"><button type="button" class="btn" @click=${close}>${t("Close")}</button></div>`;
  }
}
