/* The patient's choice of a message when it is their turn and this page is closed. It is kept with the
   visit. */
import { html, nothing } from "../shared/lit.js";
import { t } from "../shared/text.js";
import { announce, toast } from "../shared/ui.js";

export class ContactChoice {
  #path;
  #offers;
  #redraw;
  #busy = false;

  /**
   * @param {string} path where the choice is sent to
   * @param {{ text: boolean }} offers the channels that the clinic has
   * @param {() => void} redraw
   */
  constructor(path, offers, redraw) {
    this.#path = path;
    this.#offers = offers;
    this.#redraw = redraw;
  }

  /** @param {Record<string, string>} fields */
  async #send(fields) {
    this.#busy = true;
    this.#redraw();
    try {
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

  /** @param {Protocol.CasePart | null | undefined} info */
  view(info) {
    if (!this.#offers.text || !info?.patient.phone) return nothing;
    const texts = info.agreed?.includes("text") ?? false;
    const phone = info.patient.phone_shown || info.patient.phone;
    return html`<label class="option">
      <input
        type="checkbox"
        .checked=${texts}
        ?disabled=${this.#busy}
        @change=${(/** @type {On<HTMLInputElement>} */ { currentTarget: { checked } }) =>
          this.#send({ text: checked ? "yes" : "no" })} />
      <span
        >${t("Text me when it is my turn (to {phone})", { phone })}
        <span class="quiet small"
          >${t("The message has the clinic’s name and a link, nothing about you.")}</span></span>
    </label>`;
  }
}
