/* Keeps the newest version of one topic that the client has received, and decides which messages are newer
   than this version. This script uses neither the connection nor the page. */

const PENDING_BEFORE_SNAPSHOT = 256;

/** @typedef {Protocol.Topics[keyof Protocol.Topics]} News a message of a topic */
/** @typedef {import("./errors.js").SignallingError} SignallingError */
/**
 * @typedef {{ handler: (message: News) => void, refused: (error: SignallingError) => void }} Listener
 *   `handler` gets each message; `refused` is called if the server does not allow the topic
 */

/**
 * @typedef {Pick<Protocol.Requests["subscribe"], "counted">} Subscribing further fields of the request to
 *   subscribe
 */

/** One topic: its listeners, and the newest version received. */
export class Topic {
  /** @type {Set<Listener>} the listeners, which get each message of the topic */
  handlers = new Set();
  /**
   * @type {string | null} the epoch of `version` (versions of different epochs cannot be compared); null
   *   before the first message
   */
  epoch = null;
  version = -1;
  /** @type {News[]} changes that arrived before the first whole state */
  early = [];
  #more;

  /**
   * Prepare a topic that has no listeners yet, and of which no message was received.
   *
   * @param {Subscribing} more further fields of the request to subscribe
   */
  constructor(more = {}) {
    this.#more = more;
  }

  /** The fields of a request to subscribe, besides the topic's name. */
  get asked() {
    const held = this.epoch === null ? {} : { epoch: this.epoch, version: this.version };
    return { ...this.#more, ...held };
  }

  /**
   * Return the messages to pass to the listeners, in order, after a message has arrived. A message that is
   * not newer than the known version is not passed on.
   *
   * @param {News} message the message that has arrived
   * @returns {News[]}
   */
  accept(message) {
    if ("epoch" in message) {
      const snapshot = message.type.endsWith(".snapshot");
      if (!snapshot && message.epoch === this.epoch && message.version <= this.version) return [];
      this.epoch = message.epoch;
      this.version = message.version;
      const later = this.early.filter((change) => change.version > message.version);
      this.early = [];
      return [message, ...later.flatMap((change) => this.accept(change))];
    }
    if (this.epoch === null) {
      // The oldest changes are dropped first, because the whole state has them most probably.
      this.early = [...this.early, message].slice(-PENDING_BEFORE_SNAPSHOT);
      return [];
    }
    if (message.version <= this.version) return [];
    this.version = message.version;
    return [message];
  }

  forget() {
    this.epoch = null;
    this.version = -1;
    this.early = [];
  }
}
