/* Handles the On-Call switch, which is on every page of the staff. */
import { refusalWords } from "../shared/refusals.js";
import { t, tn } from "../shared/text.js";
import { announce, ask, toast } from "../shared/ui.js";
import { codeOf } from "../signalling/errors.js";

/**
 * Return the question for a person who wants to switch On-Call off while patients wait and nobody else is on
 * call.
 *
 * @param {number} waiting the number of patients who wait
 * @param {boolean} mayClose true if the person may end the visits
 * @returns {Question}
 */
function leaving(waiting, mayClose) {
  return {
    title: t("Go off call as the last one?"),
    text: tn(
      "{n} person is waiting, and nobody else is on call. They keep their place, and read that nobody " +
        "is on call.",
      "{n} people are waiting, and nobody else is on call. They keep their place, and read that nobody " +
        "is on call.",
      waiting,
    ),
    yes: t("Go off call"),
    ...(mayClose ? { also: t("Go off call and close the line") } : {}),
    no: t("Stay on call"),
  };
}

/**
 * End visits that wait; their patients get a message that the clinic has closed. A visit that was claimed
 * meanwhile goes on.
 *
 * @param {import("../signalling.js").SignallingClient} client the connection to the server
 * @param {Protocol.Row[]} rows the rows of the visits
 */
export async function closeLine(client, rows) {
  for (const { visit } of rows)
    await client.request({ type: "visit.close", visit }).catch((error) => {
      if (codeOf(error) !== "wrong_status") throw error;
    });
  toast(t("The line is closed, and those who waited are told so."));
}

export class OnCall {
  /** True from a press of the switch until the server has answered the request. */
  switching = false;
  #client;
  #news;
  #alerts;
  #redraw;
  #turnedOn;

  /**
   * Prepare the On-Call switch.
   *
   * @param {{
   *   client: import("../signalling.js").SignallingClient,
   *   news: import("./news.js").News,
   *   alerts: import("./alerts.js").Alerts,
   *   redraw: () => void,
   *   turnedOn?: () => void,
   * }} options `news`: the queue and the person's state; `alerts`: the chime; `redraw()` draws the page
   *   again; `turnedOn()` is called when a press turns the switch on
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
    const { left, mayClose } = this.#news;
    const said = on || !left.length ? "yes" : await ask(leaving(left.length, mayClose));
    if (!said) return this.#redraw();
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
      if (said === "also") await closeLine(this.#client, left);
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
