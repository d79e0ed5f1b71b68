/* Draws "Continue on your phone": a QR code to scan, or a link by mail. The link works once and for a short
   time. The visit continues on the device that opens the link. */
import { html, nothing } from "../shared/lit.js";
import { t } from "../shared/text.js";
import { toast } from "../shared/ui.js";

export class Phone {
  #path;
  #mails;
  #redraw;
  /** @type {Element | null} the picture of the QR code with the link; null if none is shown */
  #code = null;
  #minutes = 0;
  #mailed = false;
  #asking = false;

  /**
   * Make this part of the page, which shows no link until the patient asks for one.
   *
   * @param {string} path the path to which the request for a link is sent
   * @param {boolean} mails true if the server can send mails (SMTP is configured); then a mail is offered too
   * @param {() => void} redraw draws the page again
   */
  constructor(path, mails, redraw) {
    this.#path = path;
    this.#mails = mails;
    this.#redraw = redraw;
  }

  /**
   * Ask the server for a link, and show the result.
   *
   * @param {"code" | "mail"} how "code" to show a QR code, "mail" to send a mail
   */
  async #ask(how) {
    if (this.#asking) return;
    this.#asking = true;
    this.#redraw();
    try {
      const body = new URLSearchParams({ how });
      const answer = await fetch(this.#path, { method: "POST", body, signal: AbortSignal.timeout(20_000) });
      if (answer.status === 204) this.#mailed = true;
      else this.#take(await answer.json());
    } catch {
      this.#take({});
    } finally {
      this.#asking = false;
      this.#redraw();
    }
  }

  /**
   * Show the QR code of the server's answer, or a message about what went wrong.
   *
   * @param {{ svg?: string, minutes?: number, problem?: string }} answer `svg`: the QR code as SVG;
   *   `minutes`: how long the link works; `problem`: the reason for a refusal
   */
  #take({ svg, minutes, problem }) {
    if (!svg) return toast(problem ?? t("That did not work; please try again."), { bad: true });
    const drawn = new DOMParser().parseFromString(svg, "text/html").querySelector("svg");
    drawn?.setAttribute("role", "img");
    drawn?.setAttribute("aria-label", t("QR code of the link"));
    this.#code = drawn;
    this.#minutes = minutes ?? 0;
    return undefined;
  }

  view() {
    const busy = String(this.#asking);
    // A phone cannot scan the code on its own screen. So the texts on a phone are about "another device", not
    // "your phone".
    const phone = matchMedia("(pointer: coarse)").matches;
    return html`<section class="card stack phone">
      <h2>${phone ? t("Continue on another device") : t("Continue on your phone")}</h2>
      <p class="small quiet">
        ${t("The other device takes over; your place in line and your answers are kept.")}
      </p>
      <div role="status" class="stack">
        ${
          this.#code
            ? html`<div class="qr">${this.#code}</div>
                <p class="small">
                  ${t("Point the other device’s camera at it. It works once, within {n} minutes.", {
                    n: this.#minutes,
                  })}
                </p>`
            : nothing
        }
        ${this.#mailed ? html`<p>${t("The link is on its way to your email address.")}</p>` : nothing}
      </div>
      <div class="row">
        <button type="button" class="btn" aria-disabled=${busy} @click=${() => this.#ask("code")}>
          ${this.#code ? t("Show a new QR code") : t("Show a QR code")}
        </button>
        ${
          this.#mails
            ? html`<button type="button" class="btn" aria-disabled=${busy} @click=${() => this.#ask("mail")}>
                ${t("Mail me the link")}
              </button>`
            : nothing
        }
      </div>
    </section>`;
  }
}
