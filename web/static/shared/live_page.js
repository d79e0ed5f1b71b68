/* Runs a live page that is drawn into `#app`: reads the server's data, connects, draws, changes the
   language, and keeps the focus in a useful place. */

import { SignallingClient } from "../signalling.js";
import { tickBy } from "./clock.js";
import { Language } from "./language.js";
import { render } from "./lit.js";
import { one, pageData } from "./page.js";
import { closeQuestions, prepareRegions, redrawing, tendMenus } from "./ui.js";
import { onWaking } from "./waking.js";

/**
 * Does what every live page needs: reads the server's data, connects, draws, and moves the focus.
 *
 * @template {Boot} Data the type of the server's data for the scripts of this page
 */
export class LivePage {
  root = one("#app", HTMLElement);
  // The key of the content that was drawn last. The focus moves only when the key changes.
  #shown = "";

  /**
   * Read the server's data, and make the connection, which is not opened yet.
   *
   * @param {Protocol.Hello["role"]} role the role of the person on this page
   * @param {() => void} draw draws the page
   */
  constructor(role, draw) {
    /** @type {Data} the server's data for the scripts of this page */
    this.boot = pageData();
    this.client = new SignallingClient(this.boot.ws, { role });
    this.redraw = redrawing(() => this.#keepFocus(draw));
    this.connection = followConnection(this.client, this.redraw);
    this.language = new Language(this.boot.languages, this.redraw);
  }

  /** Replace the content that the server drew, and open the connection. */
  begin() {
    prepareRegions();
    tendMenus();
    tickBy(() => this.client.now());
    this.root.replaceChildren();
    this.redraw();
    this.client.connect();
  }

  /**
   * Draw the page, and set the title of its tab. When the content changes, open questions close, the page
   * scrolls to the top and its heading gets the focus, except for the first content. Return true if the
   * content has changed.
   *
   * @param {Drawn} content the drawn page
   * @param {{ key: string, title: string }} about `key`: the name of the content; the content counts as
   *   changed when `key` is another one than before; `title`: the title of the tab
   */
  show(content, { key, title }) {
    render(content, this.root);
    this.#namePhase();
    document.title = `${title} · ${this.boot.organisation.name}`;
    if (key === this.#shown) return false;
    const first = this.#shown === "" || this.#shown === "loading";
    this.#shown = key;
    if (!first) {
      closeQuestions();
      scrollTo(0, 0);
      this.#focusHeading();
    }
    return true;
  }

  /**
   * Write the phase of the video session page to the document while that page is shown. Style sheets need the
   * phase for dialogs over the page. A selector with `:has` could find the phase too, but browsers would
   * evaluate it again whenever a row of a list is hidden or shown.
   */
  #namePhase() {
    const parts = [...this.root.children].map((part) =>
      part.matches(".parked:not([hidden])") ? part.firstElementChild : part,
    );
    const session = /** @type {HTMLElement | undefined} */ (parts.find((part) => part?.matches(".session")));
    const { dataset } = document.documentElement;
    if (session) dataset.session = session.dataset.phase;
    else delete dataset.session;
  }

  /**
   * Draw the page; if the drawing removes the focused element, focus the page's heading.
   *
   * @param {() => void} draw draws the page
   */
  #keepFocus(draw) {
    const held = this.root.contains(document.activeElement);
    draw();
    if (held && !this.root.contains(document.activeElement) && !document.querySelector("dialog[open]")) {
      this.#focusHeading();
    }
  }

  #focusHeading() {
    /** @type {HTMLElement | null} the heading to focus; null if none is visible */
    const heading = this.root.querySelector("[data-focus]:not([hidden] *)");
    heading?.focus({ preventScroll: true });
  }
}

/**
 * Return an object with the status of a SignallingClient, for `connectionBar`; each change updates it.
 *
 * @param {import("../signalling.js").SignallingClient} client the connection to the server
 * @param {() => void} redraw is called at each change; draws the page again
 */
function followConnection(client, redraw) {
  /** @type {Connection} the object that is returned */
  const connection = { status: "connecting", code: null, slow: false, blocked: false };
  client.addEventListener("status", ({ detail }) => {
    connection.slow = detail.status === "open" ? false : connection.slow || detail.status === "retrying";
    connection.status = detail.status;
    connection.code = detail.code ?? null;
    connection.blocked = detail.blocked ?? false;
    redraw();
  });
  const wake = () => document.visibilityState === "visible" && client.wake();
  document.addEventListener("visibilitychange", wake);
  const moved = () => client.wake({ moved: true });
  addEventListener("online", moved);
  onWaking(moved);
  addEventListener("pageshow", wake);
  return connection;
}
