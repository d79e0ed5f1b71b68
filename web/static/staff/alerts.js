/* How a new request makes itself heard: a chime, a desktop notification, the count in the title. Once each, never a flood. No patient data
   in a notification: it may show on a locked screen. */
import { playNotes } from "../shared/devices.js";
import { t, tn } from "../shared/text.js";

const QUIET_MS = 10_000; // between two chimes
const NOTES = [659.25, 523.25, 783.99];

export class Alerts {
  /** `audible` is true once the browser allows sound; `rung` counts the chimes. */
  audible = false;
  rung = 0;
  #context = null;
  #last_ms = -Infinity;
  #later = 0;
  #open;
  #organisation;

  /** `open()` is called when a notification was clicked. */
  constructor(organisation, open) {
    this.#organisation = organisation;
    this.#open = open;
    const unlock = () => this.unlock();
    for (const event of ["pointerdown", "keydown"]) addEventListener(event, unlock, { once: true });
  }

  /** Sound is allowed from a press on: make ready for it. */
  async unlock() {
    if (!globalThis.AudioContext) return;
    this.#context ??= new AudioContext();
    try {
      await this.#context.resume();
      this.audible = this.#context.state === "running";
    } catch {
      this.audible = false;
    }
  }

  /** Ask once whether this page may raise desktop notifications; only after a press, as browsers require. */
  async askToNotify() {
    if (globalThis.Notification?.permission === "default") await Notification.requestPermission();
  }

  /** New requests have come: `waiting` is how many stand in the queue now. */
  ring(waiting) {
    const wait = this.#last_ms + QUIET_MS - performance.now();
    if (wait <= 0) return this.#sound(waiting);
    if (!this.#later) {
      this.#later = setTimeout(() => {
        this.#later = 0;
        this.#sound(waiting);
      }, wait);
    }
    return undefined;
  }

  /** Nobody is to be rung any more (off call, signed out). */
  hush() {
    clearTimeout(this.#later);
    this.#later = 0;
  }

  #sound(waiting) {
    this.#last_ms = performance.now();
    this.rung += 1;
    document.documentElement.dataset.rung = String(this.rung);
    if (this.#context) playNotes(NOTES, this.#context).catch(() => {});
    if (document.visibilityState === "visible" && document.hasFocus()) return;
    if (globalThis.Notification?.permission !== "granted") return;
    try {
      const note = new Notification(t("New On-Demand Request"), {
        body: tn("{n} patient is waiting at {clinic}.", "{n} patients are waiting at {clinic}.", waiting, { clinic: this.#organisation.name }),
        tag: `greenroom-${this.#organisation.id}`, renotify: true,
      });
      note.onclick = () => {
        globalThis.focus();
        note.close();
        this.#open();
      };
    } catch {
      // Android's Chrome raises notifications only from a service worker; the chime and the title have to do there.
    }
  }
}
