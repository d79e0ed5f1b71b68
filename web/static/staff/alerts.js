/* Announces a new request, or a request that was assigned to this person: by a chime, and by a desktop
   notification while the tab is hidden, if the person and the browser allow it. Each request is announced
   once; several at the same time are announced together. A notification contains no patient data, because
   it may be shown on a locked screen. */
import { playNotes } from "../shared/devices.js";
import { t, tn } from "../shared/text.js";

// The shortest time in ms between two chimes.
const QUIET_MS = 10_000;
const NOTES = [659.25, 523.25, 783.99];

export class Alerts {
  /**
   * True when the browser allows sound. `rung`, the field below, is the number of chimes that this page has
   * played.
   */
  audible = false;
  rung = 0;
  /** @type {AudioContext | null} plays the chimes; null until it is first needed */
  #context = null;
  #last_ms = -Infinity;
  #later = 0;
  #open;
  #organisation;
  #wanted;

  /**
   * Prepare the alerts; the browser does not allow sound before a press.
   *
   * @param {Organisation} organisation the clinic
   * @param {() => void} open is called when a notification of new requests is pressed; shows the list or the
   *   request
   * @param {{ wanted: boolean }} options `wanted`: true if the person wants desktop notifications
   */
  constructor(organisation, open, { wanted }) {
    this.#organisation = organisation;
    this.#open = open;
    this.#wanted = wanted;
    const unlock = () => this.unlock();
    for (const event of ["pointerdown", "keydown"]) addEventListener(event, unlock, { once: true });
  }

  /** Prepare the sound. Browsers allow that only after a press. */
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

  /**
   * Ask the browser for permission to show desktop notifications, unless the person has answered before.
   * Browsers allow this only after a press.
   */
  async askToNotify() {
    if (this.#wanted && globalThis.Notification?.permission === "default")
      await Notification.requestPermission();
  }

  /**
   * Announce new requests.
   *
   * @param {number} waiting the number of requests in the queue now
   */
  ring(waiting) {
    this.#chime(() =>
      this.#notify("new", {
        title: t("New On-Demand Request"),
        open: this.#open,
        body: tn("{n} patient is waiting at {clinic}.", "{n} patients are waiting at {clinic}.", waiting, {
          clinic: this.#organisation.name,
        }),
      }),
    );
  }

  /**
   * Announce a request that was assigned to this person.
   *
   * @param {() => void} open is called when the notification is pressed; shows the request
   */
  assigned(open) {
    this.#chime(() => {});
    this.#notify("assigned", {
      title: t("A patient is assigned to you"),
      open,
      body: t("Claim them from your Sessions List at {clinic}.", { clinic: this.#organisation.name }),
    });
  }

  /**
   * Announce that a limit of the clinic is exceeded: too many patients wait, or a patient has waited too
   * long.
   *
   * @param {() => void} open is called when the notification is pressed; opens the list
   */
  overLimit(open) {
    this.#chime(() => {});
    this.#notify("limit", {
      title: t("The waiting room needs attention"),
      open,
      body: t("A wait at {clinic} has passed its limit.", { clinic: this.#organisation.name }),
    });
  }

  /** Stop announcing, because the person is off call or signed out. */
  hush() {
    clearTimeout(this.#later);
    this.#later = 0;
  }

  /**
   * Play the chime now, or as soon as QUIET_MS have passed since the previous chime. If a chime is planned
   * already, plan no other.
   *
   * @param {() => void} then is called when the chime plays
   */
  #chime(then) {
    const wait = this.#last_ms + QUIET_MS - performance.now();
    if (wait <= 0) this.#sound(then);
    else if (!this.#later) {
      this.#later = setTimeout(() => {
        this.#later = 0;
        this.#sound(then);
      }, wait);
    }
  }

  /**
   * Play the chime now, and count it.
   *
   * @param {() => void} then is called when the chime plays
   */
  #sound(then) {
    this.#last_ms = performance.now();
    this.rung += 1;
    document.documentElement.dataset.rung = String(this.rung);
    if (this.#context) playNotes({ notes: NOTES, given: this.#context }).catch(() => {});
    then();
  }

  /**
   * Show a desktop notification while the tab is hidden, if it is wanted and allowed.
   *
   * @param {"new" | "assigned" | "limit"} kind the kind of news; a new notification replaces an older
   *   notification of the same kind
   * @param {{ title: string, body: string, open: () => void }} note the title and the text; `open()` is
   *   called when the notification is pressed
   */
  #notify(kind, { title, body, open }) {
    if (!this.#wanted || !document.hidden || globalThis.Notification?.permission !== "granted") return;
    try {
      /** @type {NotificationOptions & { renotify: boolean }} the options of the notification */
      const options = {
        body,
        lang: document.documentElement.lang,
        tag: `greenroom-${this.#organisation.id}-${kind}`,
        renotify: true,
      };
      const note = new Notification(title, options);
      note.onclick = () => {
        globalThis.focus();
        note.close();
        open();
      };
    } catch {
      // Chrome on Android cannot show a notification from a page. There, only the chime and the title of the
      // tab announce a request.
    }
  }
}
