/* Follows the queue and the bell for every page of the staff, and announces new requests and notifications by
   a chime and by short messages on the page. */
import { t, tn } from "../shared/text.js";
import { announce, clearToasts, Drawer, toast } from "../shared/ui.js";
import { Bell, inWords, isOwn } from "./bell.js";
import { Queue } from "./queue.js";

/**
 * The kinds of notifications for an exceeded limit of the clinic: too many patients wait, or a patient has
 * waited too long.
 */
const OVER_LIMIT = ["queue_many", "queue_long"];

/** @typedef {ReturnType<Queue["take"]>} QueueNews what a message has changed in the queue */

export class News {
  queue = new Queue();
  bell = new Bell();
  drawer = new Drawer();
  #client;
  #me;
  #alerts;
  #follow;
  #queued;
  #redraw;
  #listed;
  #counted;
  #end = () => {};

  /**
   * Follow the queue and the bell of the signed-in person.
   *
   * @param {{
   *   client: import("../signalling.js").SignallingClient,
   *   me: Pick<Account, "id" | "role" | "name">,
   *   alerts: import("./alerts.js").Alerts,
   *   follow: (item: Protocol.BellPart, marked?: Promise<unknown>) => void,
   *   queued?: (news: QueueNews) => void,
   *   onCall?: boolean,
   *   redraw: () => void,
   * }} options `alerts`: the chime and desktop notifications; `follow()` shows the visit of a notification;
   *   its argument `marked` resolves when the server has recorded that the notification was read; `queued()`
   *   is called after a message about the queue; `onCall`: given only by a page with the list, true if this
   *   person was on call when the server made the page; `redraw()` draws the page again
   */
  constructor({ client, me, alerts, follow, queued = () => {}, onCall, redraw }) {
    this.#client = client;
    this.#me = me;
    this.#alerts = alerts;
    this.#follow = follow;
    this.#queued = queued;
    this.#redraw = redraw;
    this.#listed = onCall !== undefined;
    this.#counted = !this.#showsRows(onCall ?? false);
    this.#subscribe();
    client.subscribe("bell", (message) => this.#takeBell(message));
  }

  /**
   * Return true if this page shows the rows of the queue: a page with the list does, for people who may
   * claim. Other pages show only the number of patients.
   */
  #showsRows(onCall = this.onCall) {
    return this.#listed && (onCall || this.#me.role === "admin");
  }

  /** Subscribe to the queue. A page that shows no rows receives only the number of patients. */
  #subscribe() {
    this.#end();
    const take = (/** @type {Protocol.Topics["queue"]} */ message) => this.#takeQueue(message);
    this.#end = this.#client.subscribe("queue", take, undefined, { counted: this.#counted });
  }

  get onCall() {
    return this.queue.staff.get(this.#me.id)?.on_call ?? false;
  }

  /** The rows of the patients who could be claimed by nobody if this person switched On-Call off. */
  get left() {
    return this.queue.leftBy(this.#me.id);
  }

  /** True if this person may end the visits of waiting patients. */
  get mayClose() {
    return this.#me.role === "admin";
  }

  /** Draw the bell's button, for the head of a page. */
  button() {
    return this.bell.button(() => this.#open());
  }

  #open() {
    clearToasts();
    /**
     * @type {Promise<unknown> | undefined} settles when the notifications are marked as read; undefined
     *   before that is requested
     */
    let marked;
    const mark = () => {
      marked ??= this.#mark();
      return marked;
    };
    this.drawer.show(
      "bell-title",
      (close) =>
        this.bell.list({
          now_ms: this.#client.now(),
          close,
          go: (item) => {
            close();
            this.#follow(item, mark());
          },
        }),
      mark,
    );
  }

  async #mark() {
    const { newest_ms: until_ms } = this.bell;
    if (until_ms) await this.#client.request({ type: "bell.mark", until_ms }).catch(() => {});
  }

  /**
   * Apply a message of the queue: announce new requests, and redraw.
   *
   * @param {Protocol.Topics["queue"]} message a message of the topic
   */
  #takeQueue(message) {
    const news = this.queue.take(message);
    const { fresh } = news;
    if (this.#counted === this.#showsRows()) {
      // This person has gone on or off call, so the page now needs the rows instead of the number, or the
      // reverse.
      this.#counted = !this.#counted;
      this.queue.rows = [];
      this.#subscribe();
    }
    if (fresh.length && this.onCall) {
      this.#alerts.ring(this.queue.rows.length);
      announce(
        fresh.length === 1 && fresh[0].name
          ? t("New request: {name}.", fresh[0])
          : tn("{n} new request.", "{n} new requests.", fresh.length),
      );
    }
    this.#queued(news);
    this.drawer.redraw();
    this.#redraw();
  }

  /**
   * Apply a message of the bell: show a new notification, and redraw.
   *
   * @param {Protocol.Topics["bell"]} message a message of the topic
   */
  #takeBell(message) {
    const item = this.bell.take(message);
    if (item) {
      if (isOwn(item, this.#me)) announce(inWords(item));
      else if (!this.drawer.open) toast(inWords(item));
      if (item.kind === "assigned" || item.kind === "transferred")
        this.#alerts.assigned(() => this.#follow(item));
      if (OVER_LIMIT.includes(item.kind)) this.#alerts.overLimit(() => this.#follow(item));
    }
    this.drawer.redraw();
    this.#redraw();
  }
}
