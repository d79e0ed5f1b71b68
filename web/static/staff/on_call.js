/* The On-Call switch, on every page of the staff. */
import { refusalWords } from "../shared/refusals.js";
import { t } from "../shared/text.js";
import { announce, toast } from "../shared/ui.js";

export class OnCall {
  /** True while the server is asked. */
  switching = false;
  #client;
  #news;
  #alerts;
  #redraw;
  #turnedOn;

  /**
   * @param {{
   *   client: import("../signalling.js").SignallingClient,
   *   news: import("./news.js").News,
   *   alerts: import("./alerts.js").Alerts,
   *   redraw: () => void,
   *   turnedOn?: () => void,
   * }} options `turnedOn()` is called at the press that turns it on
   */
  constructor({ client, news, alerts, redraw, turnedOn = () => {} }) {
    this.#client = client;
    this.#news = news;
    this.#alerts = alerts;
    this.#redraw = redraw;
    this.#turnedOn = turnedOn;
  }

  get on() {
    return this.#news.onCall;
  }

  async turn() {
    if (this.switching) return;
    const on = !this.on;
    this.switching = true;
    this.#alerts.unlock();
    if (on) {
      this.#alerts.askToNotify();
      this.#turnedOn();
    } else {
      this.#alerts.hush();
    }
    this.#redraw();
    try {
      await this.#client.request({ type: "on_call", on });
      announce(on ? t("You are on call.") : t("You are off call."));
    } catch (error) {
      toast(`${refusalWords(error)} ${on ? t("You are still off call.") : t("You are still on call.")}`, {
        bad: true,
      });
    } finally {
      this.switching = false;
      this.#redraw();
    }
  }
}
