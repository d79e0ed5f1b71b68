/* A client without a socket, for stores that subscribe to topics and send requests: the test sends the
   messages and the answers. */

/** @typedef {(message: any) => void} Handler */

export class StandIn {
  /** @type {Map<string, { handler: Handler, refused: Handler }>} */
  #topics = new Map();
  /** @type {any[]} requests, oldest first */
  sent = [];
  /** @type {any[]} answers to come, oldest first */
  answers = [];
  status = "open";

  /** @param {string} name @param {Handler} handler @param {Handler} refused */
  subscribe(name, handler, refused = () => {}) {
    this.#topics.set(name, { handler, refused });
    return () => this.#topics.delete(name);
  }

  addEventListener() {}

  /** @param {object} message */
  async request(message) {
    this.sent.push(message);
    return this.answers.shift() ?? { type: "done" };
  }

  /** @param {string} name */
  holds(name) {
    return this.#topics.has(name);
  }

  /** @param {string} name @param {object} message */
  push(name, message) {
    this.#topics.get(name)?.handler({ topic: name, version: 1, ...message });
  }

  /** @param {string} name @param {Error} error */
  refuse(name, error) {
    this.#topics.get(name)?.refused(error);
  }

  /** @returns {any} */
  get asClient() {
    return this;
  }
}
