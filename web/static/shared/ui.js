/* Shows messages on live pages: toasts (short sentences at the edge of the page), announcements for screen
   readers, questions before actions that cannot be undone, and the state of the connection. */
import { html, nothing, render } from "./lit.js";
import { t } from "./text.js";

const TOAST_MS = 9_000;
const SETTLE_MS = 400;

/**
 * Return the live region with this class, an element whose changes screen readers announce. Make it if it is
 * missing.
 *
 * @param {string} className the CSS class
 * @param {string} role the ARIA role: status or alert
 */
function region(className, role) {
  /** @type {HTMLElement | null} the live region; null until it is made */
  let found = document.querySelector(`.${className}`);
  if (!found) {
    found = document.createElement("div");
    found.className = className;
    found.setAttribute("role", role);
    document.body.append(found);
  }
  return found;
}

/**
 * Add the live regions to the page early: some screen readers miss a region that arrives together with its
 * text.
 */
export function prepareRegions() {
  region("toasts", "status");
  region("announcer", "status").classList.add("sr");
}

/** Close menus (`details.more`) at Escape, and when another element is pressed or gets the focus. */
export function tendMenus() {
  /**
   * Return the open menus.
   *
   * @returns {HTMLDetailsElement[]}
   */
  const open = () => [...document.querySelectorAll("details.more[open]")].filter(isMenu);
  document.addEventListener("keydown", ({ key }) => key === "Escape" && open().forEach(closeMenu));
  for (const type of ["pointerdown", "focusin"]) {
    document.addEventListener(type, ({ target }) => {
      for (const menu of open()) if (!(target instanceof Node && menu.contains(target))) menu.open = false;
    });
  }
}

/** @type {(element: Element) => element is HTMLDetailsElement} returns true for a menu element */
const isMenu = (element) => element instanceof HTMLDetailsElement;

/**
 * Close the menu that contains an element; its button gets the focus.
 *
 * @param {Element} element the element
 */
export function closeMenu(element) {
  const menu = element.closest("details");
  if (!menu) return;
  menu.open = false;
  menu.querySelector("summary")?.focus();
}

/**
 * Draw a text that a person wrote, in the quotation marks of the page's language and inside <bdi>, so that
 * its writing direction does not change the text around it.
 *
 * @param {string | null | undefined} text the text, if there is one
 */
export const quoted = (text) =>
  text ? html` <span class="quiet"><q><bdi>${text}</bdi></q></span>` : nothing;

/**
 * Return the element that has the focus, or null.
 *
 * @returns {HTMLElement | null}
 */
function focused() {
  const { activeElement } = document;
  return activeElement instanceof HTMLElement ? activeElement : null;
}

let settling = 0;

/**
 * Ignore presses on the page for a moment after a dialog has closed. Otherwise the second click of a double
 * click would press the button under the dialog. The focus stays where it is.
 */
export function settle() {
  const { classList } = document.documentElement;
  classList.add("settling");
  clearTimeout(settling);
  settling = setTimeout(() => classList.remove("settling"), SETTLE_MS);
}

/**
 * Remove a closed dialog from the page, and give the focus back to the element that had it before.
 *
 * @param {HTMLDialogElement} dialog the dialog
 * @param {HTMLElement | null} before the element that had the focus before
 */
function dismiss(dialog, before) {
  settle();
  dialog.remove();
  if (before?.isConnected) before.focus();
}

/**
 * Announce a text to screen readers only.
 *
 * @param {string} text the text for the person
 */
export function announce(text) {
  const place = region("announcer", "status");
  place.textContent = place.textContent === text ? `${text}\u00a0` : text;
}

/**
 * Show a sentence for some seconds. It stays while it has the focus or the pointer is over it. `bad`: true if
 * the sentence reports a failure.
 *
 * @param {string} text the text for the person
 */
export function toast(text, { bad = false } = {}) {
  const place = region("toasts", "status");
  const box = document.createElement("div");
  box.className = `toast arrive${bad ? " bad" : ""}`;
  const close = () => box.remove();
  const later = () => setTimeout(() => (box.matches(":hover, :focus-within") ? later() : close()), TOAST_MS);
  render(
    html`<span>${text}</span
      ><button type="button" aria-label=${t("Close this message")} @click=${close}>✕</button>`,
    box,
  );
  place.append(box);
  while (place.children.length > 3) place.firstElementChild?.remove();
  later();
}

/** Remove all toasts, because the reader now sees their content on the page. */
export function clearToasts() {
  region("toasts", "status").replaceChildren();
}

/** @type {Set<HTMLDialogElement>} the open questions of `ask` */
const questions = new Set();

/** Close all open questions as Escape does, because they are about a page that is no longer shown. */
export function closeQuestions() {
  for (const dialog of questions) dialog.close();
}

/**
 * Ask the person for confirmation before an action that other people will notice. Return "yes" or "also" if
 * the person has pressed that button; return "" after Escape, or after a press of the button `no`.
 *
 * @param {Question} question the title, the text and the buttons
 * @returns {Promise<"" | "yes" | "also">}
 */
export function ask({ title, text, yes, no, also, danger = false }) {
  return new Promise((resolve) => {
    const dialog = document.createElement("dialog");
    const before = focused();
    dialog.className = "ask";
    dialog.setAttribute("aria-labelledby", "ask-title");
    dialog.setAttribute("aria-describedby", "ask-text");
    render(
      html`<form method="dialog">
        <h2 id="ask-title">${title}</h2>
        <p id="ask-text">${text}</p>
        <div class=${also ? "choose" : "row"}>
          <button class="btn" value="no" autofocus>${no}</button>
          ${also ? html`<button class="btn" value="also">${also}</button>` : nothing}
          <button class="btn ${danger ? "danger" : "main"}" value="yes">${yes}</button>
        </div>
      </form>`,
      dialog,
    );
    dialog.addEventListener("close", () => {
      questions.delete(dialog);
      dismiss(dialog, before);
      const { returnValue: said } = dialog;
      resolve(said === "yes" || said === "also" ? said : "");
    });
    document.body.append(dialog);
    dialog.showModal();
    questions.add(dialog);
  });
}

/**
 * Ask the person to fill in a form in a dialog. Return the form's values by name, or null if the dialog was
 * closed. The browser checks the values before the dialog closes.
 *
 * @param {Omit<Question, "yes"> & { yes: string | null, fields: Drawn }} form the texts; `fields`: the drawn
 *   fields; `yes`: the text of the button that sends, or null if there is nothing to send
 * @returns {Promise<Record<string, string> | null>}
 */
export function fillIn({ title, text, fields, yes, no, danger = false }) {
  return new Promise((resolve) => {
    const dialog = document.createElement("dialog");
    const before = focused();
    /**
     * @type {Record<string, string> | null} name of a field -> its value, after the form was sent; null if
     *   the dialog was closed without that
     */
    let given = null;
    dialog.className = "ask";
    dialog.setAttribute("aria-labelledby", "fill-title");
    dialog.setAttribute("aria-describedby", "fill-text");
    const submit = (/** @type {On<HTMLFormElement>} */ event) => {
      event.preventDefault();
      const entries = [...new FormData(event.currentTarget)];
      given = Object.fromEntries(entries.map(([name, value]) => [name, String(value)]));
      dialog.close();
    };
    render(
      html`<form class="stack" @submit=${submit}>
        <h2 id="fill-title">${title}</h2>
        <p id="fill-text">${text}</p>
        ${fields}
        <div class="row">
          <button type="button" class="btn" @click=${() => dialog.close()}>${no}</button>
          ${yes ? html`<button class="btn ${danger ? "danger" : "main"}">${yes}</button>` : nothing}
        </div>
      </form>`,
      dialog,
    );
    dialog.addEventListener("close", () => {
      dismiss(dialog, before);
      resolve(given);
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}

/** A dialog whose content is drawn again while it is open. */
export class Drawer {
  /** @type {HTMLDialogElement | null} the dialog while it is open, otherwise null */
  #dialog = null;
  /**
   * @type {(close: () => void) => Drawn} draws the content of the dialog; its argument closes the dialog
   */
  #draw = () => nothing;

  get open() {
    return this.#dialog !== null;
  }

  /**
   * Open the dialog.
   *
   * @param {string} label the id of the heading in the content; screen readers use it as the dialog's name
   * @param {(close: () => void) => Drawn} drawing draws the content; its argument closes the dialog
   * @param {() => void} closed is called once, after the dialog has closed
   */
  show(label, drawing, closed = () => {}) {
    this.close();
    const dialog = document.createElement("dialog");
    const before = focused();
    dialog.className = "drawer";
    dialog.setAttribute("aria-labelledby", label);
    this.#dialog = dialog;
    this.#draw = drawing;
    dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
    dialog.addEventListener("close", () => {
      dismiss(dialog, before);
      if (this.#dialog === dialog) this.#dialog = null;
      closed();
    });
    this.redraw();
    document.body.append(dialog);
    dialog.showModal();
  }

  redraw() {
    if (this.#dialog) render(html`<div class="stack">${this.#draw(() => this.close())}</div>`, this.#dialog);
  }

  close() {
    this.#dialog?.close();
  }
}

/**
 * Draw the bar that shows that the connection is lost; draw an empty region while it is not.
 *
 * @param {Connection} connection the state of the connection
 * @param {{ kept: string, blocked: string, closed: Record<string, Closed> & { other: Closed } }} words
 *   `kept`: the sentence about the typed input that this page keeps meanwhile; `blocked`: the sentence for a
 *   network that does not pass WebSockets; `closed`: close code -> text, and a button if the person must act
 */
export function connectionBar(connection, { kept, blocked, closed }) {
  const { status, code, slow } = connection;
  /** @type {Drawn} the bar to show; nothing while the connection is open */
  let bar = nothing;
  if (status === "retrying" || (status === "connecting" && slow)) {
    bar = html`<div class="banner">
      <span>${connection.blocked ? blocked : t("Connection lost. Trying again by itself.")} ${kept}</span>
    </div>`;
  } else if (status === "closed" && code !== 1000) {
    const { text, label, act } = closed[String(code)] ?? closed.other;
    bar = html`<div class="banner closed">
      <span>${text}</span><button type="button" class="btn" @click=${act}>${label}</button>
    </div>`;
  }
  return html`<div role="status">${bar}</div>`;
}

/**
 * Return a function that draws once at the end of this turn of the event loop, however often it is called.
 * This function does not use animation frames, because a hidden tab has none.
 *
 * @param {() => void} draw draws the page
 */
export function redrawing(draw) {
  let asked = false;
  return () => {
    if (asked) return;
    asked = true;
    queueMicrotask(() => {
      asked = false;
      draw();
    });
  };
}
