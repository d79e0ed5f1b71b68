/* What a client holds of one topic, and which of the messages that arrive are news to it. Pure. */

const PENDING_BEFORE_SNAPSHOT = 256;

/** @typedef {Protocol.Topics[keyof Protocol.Topics]} News a message of a topic */
/** @typedef {import("./errors.js").SignallingError} SignallingError */
/** @typedef {{ handler: (message: News) => void, refused: (error: SignallingError) => void }} Listener */

/** One topic: who listens, and which version is held. */
export class Topic {
  /** @type {Set<Listener>} */
  handlers = new Set();
  /** @type {string | null} */
  epoch = null;
  version = -1;
  /** @type {News[]} changes that came before the first whole state */
  early = [];

  /**
   * Return the messages to hand on, in order, for one that arrived: none when it is stale.
   *
   * @param {News} message
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
      if (this.early.length < PENDING_BEFORE_SNAPSHOT) this.early.push(message);
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
