/* Draws the patient's choices for being called when it is their turn and this page is closed: by text
   message, or by a notification on this device. The choices are stored with the visit. */
import { html, live, nothing } from "../shared/lit.js";
import { canPush, fieldsOf, subscribe, subscribed } from "../shared/push.js";
import { t } from "../shared/text.js";
import { announce, toast } from "../shared/ui.js";

export class ContactChoice {
  #path;
  #offers;
  #redraw;
  #busy = false;
  /** @type {PushSubscription | null} the subscription of this device */
  #device = null;

  /**
   * Make the part of the page with the choices, and find out whether this device already gets notifications.
   *
   * @param {string} path the path to which the choices are sent
   * @param {{ text: boolean, push: PushOffer }} offers the channels that the clinic has
   * @param {() => void} redraw draws the page again
   */
  constructor(path, offers, redraw) {
    this.#path = path;
    this.#offers = offers;
    this.#redraw = redraw;
    if (canPush())
      subscribed(offers.push.worker).then((found) => {
        this.#device = found;
        redraw();
      });
  }

  /**
   * Send a choice (of text messages or notifications) to the server, and show a message if that fails.
   *
   * @param {() => Promise<Record<string, string> | null>} choose returns the fields to send, or null to
   *   send nothing
   */
  async #keep(choose) {
    this.#busy = true;
    this.#redraw();
    try {
      const fields = await choose();
      if (!fields) return;
      const answer = await fetch(this.#path, { method: "POST", body: new URLSearchParams(fields) });
      if (!answer.ok) throw new Error(`${answer.status}`);
      announce(t("Your choice is kept."));
    } catch {
      toast(t("Your choice could not be kept. Please try again."), { bad: true });
    } finally {
      this.#busy = false;
      this.#redraw();
    }
  }

  /**
   * Subscribe this device to notifications if needed. Return the fields to send; null if there is no
   * subscription.
   *
   * @param {boolean} on true to switch notifications on, false to switch them off
   */
  async #push(on) {
    this.#device = on ? await subscribe(this.#offers.push) : this.#device;
    return this.#device && { push: on ? "yes" : "no", ...fieldsOf(this.#device) };
  }

  /**
   * Draw a checkbox with a label and a help text.
   *
   * @param {boolean} on true if the box is checked
   * @param {string} label the text that names the checkbox
   * @param {string} help the text below the checkbox
   * @param {(on: boolean) => Promise<Record<string, string> | null>} choose is called when the person changes
   *   the box; returns the fields to send, or null
   */
  #option(on, label, help, choose) {
    return html`<label class="option">
      <input
        type="checkbox"
        .checked=${live(on)}
        ?disabled=${this.#busy}
        @change=${(/** @type {On<HTMLInputElement>} */ { currentTarget: { checked } }) =>
          this.#keep(() => choose(checked))} />
      <span>${label} <span class="quiet small">${help}</span></span>
    </label>`;
  }

  /**
   * Draw the box for text messages; nothing if the clinic sends none or the patient has no phone number.
   *
   * @param {Protocol.CasePart} info the patient's Case Information
   */
  #texts(info) {
    if (!this.#offers.text || !info.patient.phone) return nothing;
    const phone = info.patient.phone_shown || info.patient.phone;
    return this.#option(
      info.agreed?.includes("text") ?? false,
      t("Text me when it is my turn (to {phone})", { phone }),
      t("The message has the clinic’s name and a link, nothing about you."),
      async (on) => ({ text: on ? "yes" : "no" }),
    );
  }

  /**
   * Draw the box for notifications on this device; nothing if the browser cannot show them.
   *
   * @param {Protocol.CasePart} info the patient's Case Information
   */
  #notifications(info) {
    if (!canPush()) return nothing;
    return this.#option(
      (this.#device !== null && info.agreed?.includes("push")) ?? false,
      t("Notify me on this device when it is my turn"),
      Notification.permission === "denied"
        ? t("This browser blocks notifications of this site: allow them in its settings, then reload.")
        : t("Also while this page is closed. It shows the clinic’s name, nothing about you."),
      (on) => this.#push(on),
    );
  }

  /**
   * Draw all choices; nothing while the page does not have the Case Information.
   *
   * @param {Protocol.CasePart | null | undefined} info the patient's Case Information
   */
  view(info) {
    return info ? html`${this.#texts(info)}${this.#notifications(info)}` : nothing;
  }
}
