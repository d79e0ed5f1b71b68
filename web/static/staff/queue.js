/* Holds On-Demand Requests in this browser: the rows in order, the staff, the limits, and which requests
   are new. The field `arriving` of a row is true if the row came while the list was open. This script does
   not use the DOM. */

const SEEN_AT_MOST = 2_000;

/**
 * Return a text that identifies the arrival of a patient in the queue. A patient who returns to the queue is
 * a new arrival, which is announced again.
 */
const arrival = (/** @type {Protocol.Row} */ row) => `${row.visit}/${row.returned}`;

/**
 * @typedef {object} Taken the news in a message
 * @property {Protocol.Row[]} fresh new arrivals, which the chime announces
 * @property {(Protocol.QueueGone & { name: string }) | null} gone the visit that has left the queue, with the
 *   patient's name; null if none has
 */

export class Queue {
  /** @type {QueuedRow[]} the requests in the queue */
  rows = [];
  /** @type {Map<string, Protocol.StaffPart>} id -> member of staff */
  staff = new Map();
  /**
   * @type {Protocol.QueueLimits} the settings of the queue: waits from which rows are coloured or an alert is
   *   given, and closing times
   */
  limits = {
    amber_ms: Infinity,
    red_ms: Infinity,
    urgent_first: false,
    alert_waiting: 0,
    alert_wait_ms: 0,
    level_words: {},
    closing: {},
  };
  loaded = false;
  /**
   * @type {Set<string>} the arrivals that were received already, so that none is announced twice (see
   *   `arrival`)
   */
  #seen = new Set();

  /**
   * Return the rows that nobody could claim if this person switched On-Call off: all rows if nobody else is
   * on call, otherwise none.
   *
   * @param {string} person the id of the member of staff
   */
  leftBy(person) {
    const others = [...this.staff.values()].some(({ id, on_call }) => on_call && id !== person);
    return others ? [] : this.rows;
  }

  /**
   * Apply a message of the topic `queue`, and return what is new in it.
   *
   * @param {Protocol.Topics["queue"]} message a message of the topic
   * @returns {Taken}
   */
  take(message) {
    switch (message.type) {
      case "queue.snapshot":
        return this.#takeAll(message);
      case "queue.row":
        return this.#takeRow(message);
      case "queue.gone":
        return this.#takeGone(message);
      case "queue.changed":
        this.limits = message.limits;
        this.#sort(this.rows);
        return { fresh: [], gone: null };
      case "queue.staff":
        this.staff = new Map(this.staff).set(message.staff.id, message.staff);
        return { fresh: [], gone: null };
      default:
        return { fresh: [], gone: null };
    }
  }

  /**
   * Apply the whole state of the queue.
   *
   * @param {Protocol.QueueSnapshot} message the server's message with all rows
   */
  #takeAll(message) {
    // Rows that are new in this message arrived while the connection was lost.
    const fresh = this.loaded ? message.rows.filter((row) => !this.#seen.has(arrival(row))) : [];
    this.limits = message.limits;
    this.#sort(message.rows);
    this.staff = new Map(message.staff.map((person) => [person.id, person]));
    this.loaded = true;
    for (const row of message.rows) this.#remember(row);
    return { fresh, gone: null };
  }

  /**
   * Apply a new or changed row.
   *
   * @param {Protocol.QueueRow} message the server's message with the row
   */
  #takeRow({ row, fresh }) {
    const known = this.#seen.has(arrival(row));
    this.#remember(row);
    const before = this.rows.find(({ visit }) => visit === row.visit);
    const shown = { ...row, arriving: before ? before.arriving : true };
    if (before && inOrder(before, row, this.limits) === 0)
      this.rows = this.rows.map((held) => (held === before ? shown : held));
    else this.#sort([...this.rows.filter((held) => held !== before), shown]);
    return { fresh: fresh && !known ? [row] : [], gone: null };
  }

  /**
   * Remove the row of a visit that has left the queue.
   *
   * @param {Protocol.QueueGone} message the server's message with the visit's id
   */
  #takeGone(message) {
    const row = this.rows.find(({ visit }) => visit === message.visit);
    this.rows = this.rows.filter(({ visit }) => visit !== message.visit);
    return { fresh: [], gone: row ? { ...message, name: row.name } : null };
  }

  /**
   * Set the rows, in the order of the queue.
   *
   * @param {QueuedRow[]} rows the rows in any order
   */
  #sort(rows) {
    this.rows = [...rows].sort((a, b) => inOrder(a, b, this.limits));
  }

  /**
   * Record that the arrival of a row is known; forget the oldest arrival if more than SEEN_AT_MOST are
   * known.
   *
   * @param {Protocol.Row} row the row of the request
   */
  #remember(row) {
    this.#seen.add(arrival(row));
    if (this.#seen.size <= SEEN_AT_MOST) return;
    const [oldest] = this.#seen;
    this.#seen.delete(oldest);
  }
}

/** The levels of urgency, the most urgent first. @type {Protocol.UrgencyPart["level"][]} */
export const LEVELS = ["emergency", "urgent", "routine"];

/** Return the urgency level of a row; routine if nobody has set one. */
export const levelOf = (/** @type {Protocol.Row} */ { urgency }) => urgency?.level ?? "routine";

/**
 * Compare two rows in the queue's order: the longest wait first, or the most urgent first if the organisation
 * wants that. Return a negative number if `a` comes first.
 *
 * @param {Protocol.Row} a one row
 * @param {Protocol.Row} b the other row
 * @param {Pick<Protocol.QueueLimits, "urgent_first">} limits the settings of the queue
 */
export function inOrder(a, b, { urgent_first }) {
  const severity = (/** @type {Protocol.Row} */ row) => (urgent_first ? LEVELS.indexOf(levelOf(row)) : 0);
  return (
    severity(a) - severity(b) ||
    a.number - b.number ||
    a.arrived_ms - b.arrived_ms ||
    (a.visit < b.visit ? -1 : Number(a.visit > b.visit))
  );
}
