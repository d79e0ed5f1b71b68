/* Draws the panels beside the video session page: the panel of the person's role (Case Information for
   staff, the setup guide for a patient), and the messages. At most one panel is open. */
import { Chat, chatView } from "../shared/chat.js";
import { html, nothing, ref } from "../shared/lit.js";
import { refusalWords } from "../shared/refusals.js";
import { t } from "../shared/text.js";
import { announce, clearToasts, toast } from "../shared/ui.js";

/** @typedef {import("./bar.js").AsideId} AsideId */
/** @typedef {import("./bar.js").Beside} Beside */

export class Asides {
  /** @type {AsideId | null} the panel that is open; null if all are closed */
  open = null;
  #opens;
  #live = false;
  #own;
  #redraw;
  #chat;
  /** @type {Element | null} the element of the open panel, which is scrolled into view */
  #element = null;

  /**
   * Make the panels, all of them closed, and subscribe to the visit's messages.
   *
   * @param {{
   *   client: import("../signalling.js").SignallingClient,
   *   visit: string,
   *   party: string,
   *   own: () => Aside | null,
   *   opens: boolean,
   *   redraw: () => void,
   * }} options `visit`: the visit's id; `party`: the key of the party on this page; `own()` returns the panel
   *   of the role, or null; `opens`: true if that panel opens when the call begins; `redraw()` draws the page
   *   again
   */
  constructor({ client, visit, party, own, opens, redraw }) {
    this.#opens = opens;
    this.#own = own;
    this.#redraw = redraw;
    this.#chat = new Chat(client, visit, party, (line) => this.#wrote(line));
  }

  start() {
    this.#chat.start();
  }

  /**
   * Open the role's own panel when the call begins. Before the call all panels are closed, so that the page
   * is the same for both roles.
   *
   * @param {boolean} live true during the call
   */
  follow(live) {
    const begins = live && !this.#live;
    this.#live = live;
    if (begins && this.#opens && !this.open) this.show("own");
  }

  stop() {
    this.#chat.stop();
    // The text for screen readers is cleared: the announced message no longer belongs to what the page shows.
    announce("");
  }

  /**
   * Open one of the panels, or none.
   *
   * @param {AsideId | null} which the panel to open, or null
   */
  show(which) {
    this.open = which;
    this.#chat.look(which === "chat");
    if (which === "chat") clearToasts();
    this.#redraw();
    // On a narrow page the panel is below the call, so the page scrolls to it.
    if (which) setTimeout(() => this.#element?.scrollIntoView({ block: "nearest" }));
  }

  /**
   * All panels of this page: the messages, and the role's own panel if there is one.
   *
   * @returns {Beside[]}
   */
  get all() {
    const own = this.#own();
    /** @type {Beside} the panel with the messages, and its entry in the bar */
    const messages = {
      id: "chat",
      label: t("Messages"),
      count: this.#chat.unread,
      view: () =>
        html`<h2>${t("Messages")}</h2>
          ${chatView(this.#chat, {
            may: true,
            failed: (error) => toast(refusalWords(error), { bad: true }),
          })}`,
    };
    return own ? [{ id: "own", ...own }, messages] : [messages];
  }

  /** The open panel, or null. */
  get current() {
    return this.all.find(({ id }) => id === this.open) ?? null;
  }

  /**
   * The panels that have a button in the header. Before the call only the messages have a button there, and
   * `way()` draws the button of the role's own panel in another place of the page.
   */
  get named() {
    return this.#live ? this.all : this.all.filter(({ id }) => id === "chat");
  }

  /**
   * Draw the button that opens the role's own panel. It is shown before the call, and has the same size for
   * both roles.
   */
  way() {
    const own = this.#own();
    if (!own) return nothing;
    const open = this.open === "own";
    return html`<button
      type="button"
      class="btn way"
      aria-expanded=${String(open)}
      @click=${() => this.show(open ? null : "own")}>
      <span>${own.label}</span>
    </button>`;
  }

  /**
   * Draw the open panel; nothing if none is open.
   *
   * @param {Beside | null} aside the open panel, or null
   */
  view(aside) {
    if (!aside) return nothing;
    return html`<aside
      class="beside"
      aria-label=${aside.label}
      ${ref((element) => {
        this.#element = element ?? null;
      })}>
      <button type="button" class="btn plain close" @click=${() => this.show(null)}>
        ${t("Close")}</button>${aside.view()}
    </aside>`;
  }

  /**
   * Show a toast about a new message, also to screen readers, unless the panel with the messages is open.
   *
   * @param {Protocol.ChatMessagePart | null} line the new message; null if there is none
   */
  #wrote(line) {
    if (line && this.open !== "chat") {
      const said = t("Message from {name}: {text}", { name: line.name, text: line.text });
      toast(said);
      announce(said);
    }
    this.#redraw();
  }
}
