/* Replaces the signalling client in tests of objects that subscribe to topics and send requests. There is no
   socket: the test gives the messages and the answers. */

/** @typedef {(message: any) => void} Handler a listener of a topic */

/** A signalling client for tests, which records the requests and has no socket. */
export class StandIn {
  /** @type {Map<string, { handler: Handler, refused: Handler }>} name of a topic -> its listeners */
  #topics = new Map();
  /** @type {any[]} the sent requests, the oldest first */
  sent = [];
  /** @type {any[]} the answers to the next requests, in order */
  answers = [];
  status = "open";

  /** Keeps the listeners of a topic; returns a function that removes them. */
  subscribe(
    /** @type {string} */ name,
    /** @type {Handler} */ handler,
    /** @type {Handler} */ refused = () => {},
  ) {
    this.#topics.set(name, { handler, refused });
    return () => this.#topics.delete(name);
  }

  addEventListener() {}

  /** Records a request, and resolves with the next answer of `answers`. */
  async request(/** @type {object} */ message) {
    this.sent.push(message);
    return this.answers.shift() ?? { type: "done" };
  }

  /** Returns true if the topic with this name has listeners. */
  holds(/** @type {string} */ name) {
    return this.#topics.has(name);
  }

  /** Passes a message of a topic to its listener. */
  push(/** @type {string} */ name, /** @type {object} */ message) {
    this.#topics.get(name)?.handler({ topic: name, version: 1, ...message });
  }

  /** Reports to the listener of a topic that the server has refused the topic. */
  refuse(/** @type {string} */ name, /** @type {Error} */ error) {
    this.#topics.get(name)?.refused(error);
  }

  /** @returns {any} this object, with a type that fits every parameter for a client */
  get asClient() {
    return this;
  }
}
