/* Holds the chat of a visit: the messages of the topic chat/{id}, and the number of unread messages. This
   script also draws the messages. */
import { draftOf, keepDraft, ofMessage } from "./drafts.js";
import { clock } from "./format.js";
import { html, nothing, repeat } from "./lit.js";
import { ownText } from "./own_texts.js";
import { one } from "./page.js";
import { t } from "./text.js";

/** Holds the messages of a visit. */
export class Chat {
  /** @type {Protocol.ChatMessagePart[]} the messages, the oldest first */
  lines = [];
  unread = 0;
  // True while the reader sees the messages.
  open = false;
  #client;
  #visit;
  #me;
  #name;
  #changed;
  /** @type {(() => void) | null} ends the subscription to the messages; null if there is none */
  #drop = null;
  #shown = false;
  #draft;

  /**
   * Make an empty chat; `start()` subscribes to the messages.
   *
   * @param {import("../signalling.js").SignallingClient} client the connection to the server
   * @param {string} visit the visit's id
   * @param {string} me the key of the party on this page: "patient", "provider", "staff", or a guest's
   * @param {(line: Protocol.ChatMessagePart | null) => void} changed is called after each change, with the
   *   new message if another person has sent one
   * @param {string | null} name the name of this person, if several people, such as several members of staff,
   *   have the same key
   */
  constructor(client, visit, me, changed, name = null) {
    this.#client = client;
    this.#visit = visit;
    this.#me = me;
    this.#name = name;
    this.#changed = changed;
    this.#draft = draftOf(ofMessage(visit), Date.now()).text ?? "";
  }

  /** The text that is typed and not sent yet. The tab keeps it when the page is loaded again. */
  get draft() {
    return this.#draft;
  }

  set draft(text) {
    this.#draft = text;
    keepDraft(ofMessage(this.#visit), { text }, Date.now());
  }

  start() {
    this.#drop ??= this.#client.subscribe(`chat/${this.#visit}`, (message) => this.#take(message));
  }

  stop() {
    this.#drop?.();
    this.#drop = null;
  }

  /**
   * Set whether the reader has the messages open.
   *
   * @param {boolean} open true if the reader sees the messages
   */
  look(open) {
    this.open = open;
    if (open) this.unread = 0;
  }

  /**
   * Return true if the person on this page has written a message.
   *
   * @param {Protocol.ChatMessagePart} line the message
   */
  isMine(line) {
    return line.party === this.#me && (this.#name === null || line.name === this.#name);
  }

  /**
   * Send a message to the visit. Reject if the server refuses it.
   *
   * @param {string} text the text of a message
   */
  async send(text) {
    await this.#client.request({ type: "chat.send", visit: this.#visit, text });
  }

  /**
   * Apply a message of the topic to the list of messages.
   *
   * @param {Protocol.Topics["chat/"]} message a message of the topic
   */
  #take(message) {
    if (message.type === "chat.snapshot") {
      const held = new Set(this.lines.map(({ id }) => id));
      const missed = message.lines.filter((line) => !held.has(line.id) && !this.isMine(line));
      if (this.#shown && !this.open) this.unread += missed.length;
      this.#shown = true;
      this.lines = message.lines;
      return this.#changed(null);
    }
    this.lines = [...this.lines, message.line];
    const theirs = this.isMine(message.line) ? null : message.line;
    if (theirs && !this.open) this.unread += 1;
    return this.#changed(theirs);
  }
}

/**
 * Send the typed text, and empty the box when the server has accepted it.
 *
 * @param {On<HTMLFormElement>} event the submission of the form
 * @param {Chat} chat the messages and the draft
 * @param {(error: import("../signalling/errors.js").SignallingError) => void} failed is called with the error
 *   if the server has refused the text
 */
function submit(event, chat, failed) {
  event.preventDefault();
  const form = event.currentTarget;
  const box = one("textarea", HTMLTextAreaElement, form);
  const button = one("button", HTMLButtonElement, form);
  const text = box.value.trim();
  if (!text) return;
  button.disabled = true;
  chat
    .send(text)
    .then(() => {
      // If the person has typed more while the text was being sent, the box is not emptied.
      if (box.value.trim() !== text) return;
      chat.draft = "";
      box.value = "";
    }, failed)
    .finally(() => {
      button.disabled = false;
      box.focus();
    });
}

/**
 * Send the message when Enter is pressed; with Shift, begin a new line instead.
 *
 * @param {On<HTMLTextAreaElement, KeyboardEvent>} event the key that was pressed in the box
 */
function onKey(event) {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  event.currentTarget.form?.requestSubmit();
}

const ADDRESS = /(https?:\/\/[^\s<>"]+[^\s<>".,;:!?)\]}’”])/;

/**
 * Return a text in parts: its web addresses as links, and the text before, between and after them. Only
 * http and https addresses become links.
 *
 * @param {string} text the text of a message
 * @returns {(string | { href: string })[]}
 */
export function partsOf(text) {
  return text.split(ADDRESS).map((part, at) => (at % 2 ? { href: part } : part));
}

/**
 * Draw a text whose web addresses are links. The browser does not send the address of this page to a linked
 * page.
 *
 * @param {string} text the text of a message
 */
export function linked(text) {
  return partsOf(text).map((part) =>
    typeof part === "string"
      ? part
      : html`<a href=${part.href} target="_blank" rel="noopener noreferrer">${part.href}</a>`,
  );
}

/**
 * Return the text of a message and its language; an automatic message of the clinic is in the language of
 * the page.
 *
 * @param {Protocol.ChatMessagePart} line the message
 */
export const saidIn = ({ party, text }) => (party === "clinic" ? ownText(text) : { text, lang: undefined });

/**
 * Draw the text of a message.
 *
 * @param {Protocol.ChatMessagePart} line the message
 */
export function words(line) {
  const { text, lang } = saidIn(line);
  return html`<p dir="auto" lang=${lang ?? nothing}>${linked(text)}</p>`;
}

/**
 * Draw the messages, and a box to write in.
 *
 * @param {Chat} chat the messages and the draft
 * @param {{
 *   may: boolean,
 *   failed: (error: import("../signalling/errors.js").SignallingError) => void,
 *   hint?: string,
 * }} options `may`: true to draw the box; `failed(error)` shows an error, and the typed text is kept; `hint`:
 *   the text below the box
 */
export function chatView(chat, { may, failed, hint = "" }) {
  const onSubmit = (/** @type {On<HTMLFormElement>} */ event) => submit(event, chat, failed);
  return html`<section class="chat" aria-label=${t("Messages")}>
    <div class="lines" role="log" tabindex="0" aria-label=${t("Messages")}><div>
      ${chat.lines.length ? nothing : html`<p class="quiet small">${t("Nothing has been written yet.")}</p>`}
      ${repeat(
        chat.lines,
        ({ id }) => id,
        (line) =>
          html`<div class="line" ?data-mine=${chat.isMine(line)}>
            <span class="small quiet"><bdi>${chat.isMine(line) ? t("You") : line.name}</bdi> ·
              <span class="num">${clock(line.at_ms)}</span></span>
            ${words(line)}
          </div>`,
      )}
    </div></div>
    ${
      may
        ? html`<form class="write" @submit=${onSubmit}>
            <label class="sr" for="chat-text">${t("Your message")}</label>
            <textarea
              class="input"
              dir="auto"
              id="chat-text"
              name="text"
              rows="2"
              maxlength="2000"
              required
              placeholder=${t("Write a message")}
              .value=${chat.draft}
              @input=${(/** @type {On<HTMLTextAreaElement>} */ { currentTarget }) => {
                chat.draft = currentTarget.value;
              }}
              @keydown=${onKey}></textarea>
            <button class="btn main" name="send">${t("Send")}</button>
          </form>`
        : html`<p class="quiet small">${hint}</p>`
    }
  </section>`;
}
