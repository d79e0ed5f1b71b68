/* Keeps and draws the notifications of the bell, which is on every page of the staff: the list, and the
   number of unread notifications. Each kind of notification has its sentence. */
import { clock, moment } from "../shared/format.js";
import { html, nothing, repeat } from "../shared/lit.js";
import { t } from "../shared/text.js";
import { quoted } from "../shared/ui.js";
import { stillWords, waitWords } from "./closing.js";

const KEPT = 200;

/**
 * @type {Record<string, (item: Protocol.BellPart) => string>} kind of notification -> a function that
 *   returns its sentence
 */
const SENTENCES = {
  assigned: ({ by, name }) => t("{by} assigned {name} to you.", { by, name }),
  assignment_lapsed: ({ name }) => t("{name} was not taken up in time and is everybody’s again.", { name }),
  declined: ({ by, name }) => t("{by} declined {name}.", { by, name }),
  returned: ({ name }) => t("{name} is back in the queue.", { name }),
  transferred: ({ by, name }) => t("{by} handed {name} over.", { by, name }),
  closed: ({ name }) => t("The clinic closed before anybody claimed {name}.", { name }),
  patient_left: ({ name }) => t("{name} has left.", { name }),
  answered: ({ name }) => t("{name} answered your message.", { name }),
  patient_back: ({ name }) => t("{name} is back on the page.", { name }),
  emergency: ({ by, name }) => t("{by} opened the session of {name} by emergency access.", { by, name }),
  emergency_ended: ({ by }) => t("{by} ended your emergency access.", { by }),
  off_call: () => t("On-Call was turned off: none of your pages had been open for a while."),
  queue_many: ({ count }) => t("{n} patients are waiting.", { n: count }),
  queue_long: ({ name, count }) => t("{name} has been waiting for {n} min.", { name, n: count }),
  queue_closing: ({ count }) => `${t("Closing time is near.")} ${waitWords(count ?? 0)}`,
  queue_closed: ({ count }) => `${t("It is past closing time.")} ${stillWords(count ?? 0)}`,
  message: ({ by }) => t("{by} wrote to you.", { by }),
};

/**
 * Return a notification in words.
 *
 * @param {Protocol.BellPart} item the notification
 */
export function inWords(item) {
  const words = (SENTENCES[item.kind] ?? SENTENCES.message)(item);
  return item.area ? `${words} ${t("Waiting area: {area}.", { area: item.area })}` : words;
}

/**
 * Return true if the reader's own action has caused a notification. No toast is shown for such a
 * notification; only the bell's number changes.
 *
 * @param {Protocol.BellPart} item the notification
 * @param {{ name: string }} me the signed-in person
 */
export const isOwn = ({ kind, by }, me) => kind === "declined" && by === me.name;

/**
 * Return a time in words: the time of day, with the date if it is not today.
 *
 * @param {number} at_ms the time in ms since 1970
 * @param {number} now_ms the time now, in ms since 1970
 */
function when(at_ms, now_ms) {
  const same = new Date(at_ms).toDateString() === new Date(now_ms).toDateString();
  return same ? clock(at_ms) : moment(at_ms);
}

export class Bell {
  /** @type {Protocol.BellPart[]} the notifications that the bell lists */
  items = [];
  unread = 0;

  /**
   * Apply a message of the topic `bell`; return the notification that the message has added, or null.
   *
   * @param {Protocol.Topics["bell"]} message a message of the topic
   */
  take(message) {
    this.unread = message.unread;
    if (message.type === "bell.snapshot") this.items = message.items;
    else if (message.type === "bell.item")
      this.items = [message.item, ...this.items.filter(({ id }) => id !== message.item.id)].slice(0, KEPT);
    return message.type === "bell.item" ? message.item : null;
  }

  /** The time of the newest notification, in ms since 1970; 0 if there are none. */
  get newest_ms() {
    return this.items[0]?.at_ms ?? 0;
  }

  /**
   * Return true if a notification is unread.
   *
   * @param {number} index the position of the notification in the list, from 0; the newest is first
   */
  isNew(index) {
    return index < this.unread;
  }

  /**
   * Draw the button with the number of unread notifications.
   *
   * @param {() => void} open opens the list of notifications
   */
  button(open) {
    return html`<button type="button" class="btn plain bell" aria-haspopup="dialog" @click=${open}>
      <svg viewBox="0 0 24 24" aria-hidden="true">
        <path d="M12 3a6 6 0 0 0-6 6v4l-2 4h16l-2-4V9a6 6 0 0 0-6-6zM9.5 20a2.5 2.5 0 0 0 5 0"></path>
      </svg>
      <span>${t("Notifications")}</span>${
        this.unread
          ? html`<span class="chip amber num">${this.unread}<span class="sr"> ${t("unread")}</span></span>`
          : nothing
      }
    </button>`;
  }

  /**
   * Draw the list of notifications for a dialog.
   *
   * @param {{ now_ms: number, go: (item: Protocol.BellPart) => void, close: () => void }} options `now_ms`:
   *   the time now, in ms since 1970; `go(item)` shows the visit of a notification; `close()` closes the
   *   dialog
   */
  list({ now_ms, go, close }) {
    return html`<h2 id="bell-title">${t("Notifications")}</h2>
      ${
        this.items.length
          ? nothing
          : html`<p class="quiet">
              ${t("There is nothing here yet. What concerns you appears here by itself.")}
            </p>`
      }
      <ul role="list" class="notes">
        ${repeat(
          this.items,
          ({ id }) => id,
          (item, index) =>
            html`<li ?data-new=${this.isNew(index)}>
              <p>${inWords(item)}${quoted(item.note)}</p>
              <p class="small quiet num">
                ${when(item.at_ms, now_ms)}
                ${
                  item.visit
                    ? html`<button type="button" class="btn plain" @click=${() => go(item)}>
                        ${t("Open")}<span class="sr"> ${item.name}</span>
                      </button>`
                    : nothing
                }
              </p>
            </li>`,
        )}
      </ul>
      <div class="row"><button type="button" class="btn main" @click=${close}>${t("Close")}</button></div>`;
  }
}
