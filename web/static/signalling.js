/* The browser's side of the Greenroom signalling protocol, version 1 (signalling/protocol/PROTOCOL.md). It
   handles hello, resume, requests, topics and close codes. It does not use the DOM, so that any page or
   worker can use it. The page calls `wake()` when the network may be back or the device may have slept. */
import { blocksSockets, early, SUBPROTOCOL, socketUrl } from "./signalling/address.js";
import { SignallingError } from "./signalling/errors.js";
import { ServerClock } from "./signalling/server_clock.js";
import { Topic } from "./signalling/topic.js";

const RESUME_WITHIN_MS = 60_000;
const BACKOFF_MS = { first: 500, most: 15_000 };
// After close code 1001, clients reconnect after a random part of this time in ms.
const DRAIN_JITTER_MS = 2_000;
const PING_EVERY_MS = 20_000;
const PONG_WITHIN_MS = 8_000;
const OPEN_WITHIN_MS = 10_000;
// The greatest number of requests that wait for an answer; further requests are refused.
const MOST_PENDING = 200;
const STAY_AWAY_FROM = 4200;
// After this number of sockets in a row that did not open, the client finds out the reason.
const UNOPENED = 2;

/** Requests that may be sent again if the socket was lost before their answer. */
const IDEMPOTENT = new Set([
  "subscribe",
  "unsubscribe",
  "visit.save",
  "visit.enter",
  "visit.start",
  "visit.finish",
  "on_call",
  "media.mute",
  "media.share",
]);

/** @typedef {keyof Protocol.Requests} RequestType the type of a request, such as "visit.claim" */
/**
 * @template {RequestType} Type
 * @typedef {Omit<Protocol.Requests[Type], "id" | "type"> & { type: Type }} Asked a request without its id
 */
/** @typedef {import("./signalling/topic.js").Listener} Listener */
/**
 * @typedef {object} Pending a request that waits for its answer
 * @property {{ type: RequestType, id: number }} message the request as it was sent
 * @property {(answer: Protocol.Answers[RequestType]) => void} resolve is called with the answer
 * @property {(error: SignallingError) => void} reject is called with the error
 * @property {number} timer the timer that ends the wait for the answer
 */

const Target = /** @type {new () => Events<ClientEvents>} */ (EventTarget);

/**
 * A connection to the server that continues over several sockets.
 * Events: `status` (detail {status: connecting|open|retrying|closed, code, retry_at_ms, blocked}; `blocked`:
 * true if the server answers, but WebSockets do not reach it), `welcome` (the message; its `resumed` is true
 * if the server kept this connection), `moved` (the network may have changed while a socket was open), and
 * for each message without a topic an event with its type (`media.offer`, ...), whose detail is the message.
 */
export class SignallingClient extends Target {
  #url;
  #role;
  #timeout;
  /** @type {WebSocket | null} the socket in use; null while there is none */
  #socket = null;
  #next = 1;
  /** @type {Map<number, Pending>} id of a request -> the request, until its answer arrives */
  #requests = new Map();
  /** @type {Map<string, Topic>} name of a topic -> its listeners and version */
  #topics = new Map();
  /** @type {string | null} the token with which the next socket continues this connection, or null */
  #resume = null;
  #lostAt = 0;
  #attempt = 0;
  // The number of sockets that did not open, since the last socket that opened.
  #unopened = 0;
  #blocked = false;
  #timers = { retry: 0, ping: 0, pong: 0, open: 0 };
  #clock = new ServerClock();
  #left = false;

  /**
   * Prepare a client, which is not connected until `connect()` is called.
   * @param {string} url the address or path of the socket
   * @param {{ role: Protocol.Hello["role"], timeout_ms?: number }} options `role`: the role of the person on
   *   this page; `timeout_ms`: the time to wait for an answer to a request
   */
  constructor(url, { role, timeout_ms = 10_000 }) {
    super();
    this.#url = socketUrl(url);
    this.#role = role;
    this.#timeout = timeout_ms;
    /** @type {ClientStatus} the status of the connection */
    this.status = "closed";
    /** @type {Protocol.Me | null} the person on this page; null before the server's first welcome */
    this.me = null;
    /** @type {string | null} the id of the visit whose page this is, or null */
    this.visit = null;
  }

  /** Return the time by the server's clock, in ms since 1970. */
  now() {
    return this.#clock.now();
  }

  /** Connect, or connect again after `bye`. */
  connect() {
    this.#left = false;
    if (!this.#socket) this.#open();
  }

  /**
   * Try to connect at once; if a socket is open, check that the server still answers.
   * @param {{ moved?: boolean }} how `moved`: true if the network may have changed. An attempt to connect
   *   on the old network is then given up, and the event `moved` is fired if a socket is open
   */
  wake({ moved = false } = {}) {
    if (this.#left || this.status === "closed") return;
    if (this.status === "open") {
      this.#ping(2_500);
      if (moved) this.dispatchEvent(new CustomEvent("moved"));
    } else if (this.status === "retrying" || moved) this.#open();
  }

  /** Close the connection; it is opened again only by `connect`. */
  bye() {
    this.#left = true;
    if (this.status === "open") this.#write({ type: "bye", id: this.#next++ });
    this.#drop();
    this.#resume = null;
    this.#fail(() => true, new SignallingError("closed", "The connection was closed."));
    this.#setStatus("closed", { code: 1000 });
  }

  /**
   * Send a request and return the server's answer (`done`, `subscribed`, `pong`). Reject with a
   * SignallingError if the server refuses it, if no answer came (`timeout`; perhaps it was carried out), or
   * if it cannot be sent now and must not be sent later (`offline`).
   * @template {RequestType} Type
   * @param {Asked<Type>} message the request without its id
   * @param {{ timeout_ms?: number }} options `timeout_ms`: the time to wait for the answer
   * @returns {Promise<Protocol.Answers[Type]>}
   */
  request(message, { timeout_ms = this.#timeout } = {}) {
    return new Promise((resolve, reject) => {
      const sendLater = IDEMPOTENT.has(message.type);
      if ((this.status !== "open" && !sendLater) || this.#requests.size >= MOST_PENDING) {
        return reject(new SignallingError("offline", "Not connected. Nothing was changed."));
      }
      if (this.status === "closed")
        return reject(new SignallingError("closed", "The connection was closed."));
      const id = this.#next++;
      const timer = setTimeout(() => {
        this.#requests.delete(id);
        reject(new SignallingError("timeout", "The server did not answer in time."));
      }, timeout_ms);
      const request = { message: { ...message, id }, resolve, reject, timer };
      // The type of a request determines the type of its answer, but the type of a Map cannot express that.
      this.#requests.set(id, /** @type {Pending} */ (/** @type {unknown} */ (request)));
      if (this.status === "open") this.#write(request.message);
    });
  }

  /**
   * Subscribe to a topic. The listener gets the whole state first, and then each change once, in order, also
   * after the client has connected again. Return a function that ends the subscription.
   * @template {keyof Protocol.Topics} Name
   * @param {Name} name the topic's name
   * @param {(message: Protocol.Topics[Name]) => void} handler is called with each message of the topic
   * @param {(error: SignallingError) => void} refused gets the error if the server refuses the topic
   * @param {import("./signalling/topic.js").Subscribing} more further fields of the request to subscribe
   */
  subscribe(name, handler, refused = () => {}, more = {}) {
    const topic = this.#topics.get(name) ?? new Topic(more);
    this.#topics.set(name, topic);
    const listener = /** @type {Listener} */ ({ handler, refused });
    topic.handlers.add(listener);
    // The version is forgotten, so that the server sends the whole state, which a second listener needs too.
    topic.forget();
    if (this.status === "open") this.#ask(name, topic);
    return () => {
      topic.handlers.delete(listener);
      if (topic.handlers.size || this.#topics.get(name) !== topic) return;
      this.#topics.delete(name);
      if (this.status === "open") this.request({ type: "unsubscribe", topic: name }).catch(() => {});
    };
  }

  /** Ask the server for the topic with this name, and ask again later if it is not available now. */
  #ask(/** @type {string} */ name, /** @type {Topic} */ topic) {
    this.request({ type: "subscribe", topic: name, ...topic.asked }).catch((error) => {
      if (this.#topics.get(name) !== topic) return;
      if (error.code === "unavailable" || error.code === "timeout") {
        setTimeout(
          () => this.status === "open" && this.#topics.get(name) === topic && this.#ask(name, topic),
          this.#jitter(2_000),
        );
      } else if (!["closed", "offline"].includes(error.code)) {
        for (const listener of topic.handlers) listener.refused(error);
      }
    });
  }

  #open() {
    this.#drop();
    this.#setStatus("connecting");
    const socket = early(this.#url) ?? new WebSocket(this.#url, SUBPROTOCOL);
    this.#socket = socket;
    this.#unopened += 1;
    this.#timers.open = setTimeout(() => this.#lost(socket, 1006), OPEN_WITHIN_MS);
    socket.onopen = () => this.#opened();
    if (socket.readyState === 1) this.#opened();
    socket.onmessage = (event) => this.#socket === socket && this.#receive(JSON.parse(event.data));
    socket.onclose = (event) => this.#lost(socket, event.code);
  }

  #opened() {
    this.#unopened = 0;
    this.#blocked = false;
    this.#hello();
  }

  #hello() {
    /** @type {Protocol.Hello} the first message on a socket */
    const hello = { type: "hello", id: this.#next++, role: this.#role };
    if (this.#resume && Date.now() - this.#lostAt < RESUME_WITHIN_MS) hello.resume = this.#resume;
    this.#write(hello);
  }

  /** Begin to use an accepted connection: send the waiting requests, and subscribe to the topics again. */
  #welcome(/** @type {Protocol.Welcome} */ message) {
    clearTimeout(this.#timers.open);
    this.#attempt = 0;
    this.#resume = message.resume;
    this.#clock.set(message.server_ms);
    this.me = message.me;
    this.visit = message.visit;
    for (const [id, request] of this.#requests) {
      if (request.message.type === "subscribe" || request.message.type === "unsubscribe") {
        // This request is dropped: the code below requests each topic anew, with its newest known version.
        clearTimeout(request.timer);
        this.#requests.delete(id);
        request.reject(new SignallingError("offline", "Asked again on the new socket."));
      }
    }
    this.status = "open";
    for (const request of this.#requests.values()) this.#write(request.message);
    for (const [name, topic] of this.#topics) {
      topic.early = [];
      this.#ask(name, topic);
    }
    this.#timers.ping = setInterval(() => this.#ping(PONG_WITHIN_MS), PING_EVERY_MS);
    this.dispatchEvent(new CustomEvent("welcome", { detail: message }));
    this.#setStatus("open");
  }

  /** Pass a message of the server to the request, the topic or the listeners that it is for. */
  #receive(/** @type {Protocol.Messages[keyof Protocol.Messages]} */ message) {
    // Any message shows that the server is there, so the client no longer waits for a pong.
    clearTimeout(this.#timers.pong);
    this.#timers.pong = 0;
    if (message.type === "pong") this.#clock.ponged(message.server_ms);
    if (message.type === "welcome") return this.#welcome(message);
    if (message.type === "gone") return this.#gone(message.topic);
    if ("topic" in message && !("reply_to" in message)) {
      const topic = this.#topics.get(message.topic);
      if (!topic) return undefined;
      for (const news of topic.accept(message))
        for (const listener of [...topic.handlers]) listener.handler(news);
      return undefined;
    }
    if (!("reply_to" in message)) {
      this.dispatchEvent(new CustomEvent(message.type, { detail: message }));
      return undefined;
    }
    const request = this.#requests.get(message.reply_to ?? -1);
    if (message.type !== "error") {
      this.#settle(message.reply_to, () => request?.resolve(message));
    } else if (message.code.startsWith("resume_")) {
      this.#resume = null;
      this.#hello();
    } else if (request) {
      this.#settle(request.message.id, () =>
        request.reject(new SignallingError(message.code, message.text, message.details)),
      );
    } else if (this.status !== "open") {
      // The server has refused the hello, and closes the connection after this message.
      this.dispatchEvent(new CustomEvent("refused", { detail: message }));
    }
    return undefined;
  }

  /**
   * Handle the message `gone`, which ends a topic because the right to it has ended or the visit is lost. The
   * listeners are called as after a refused `subscribe`.
   * @param {string} name the topic's name
   */
  #gone(name) {
    const topic = this.#topics.get(name);
    if (!topic) return;
    topic.forget();
    const error = new SignallingError("not_found", "There is no such visit here.");
    for (const listener of [...topic.handlers]) listener.refused(error);
  }

  /**
   * End a waiting request.
   * @param {number} id the number of the request
   * @param {() => void} finish is called if the request still waits; passes on its answer or error
   */
  #settle(id, finish) {
    const request = this.#requests.get(id);
    if (!request) return;
    clearTimeout(request.timer);
    this.#requests.delete(id);
    finish();
  }

  /**
   * End waiting requests with an error.
   * @param {(message: Pending["message"]) => boolean} which returns true for the requests to end
   * @param {SignallingError} error the error that each of them gets
   */
  #fail(which, error) {
    for (const [id, request] of this.#requests)
      if (which(request.message)) this.#settle(id, () => request.reject(error));
  }

  /** Send a ping, and close the socket if nothing arrives in time. */
  #ping(/** @type {number} */ within_ms) {
    const socket = this.#socket;
    if (this.#timers.pong || this.status !== "open" || !socket) return;
    this.#clock.pinged();
    this.#write({ type: "ping", id: this.#next++ });
    this.#timers.pong = setTimeout(() => this.#lost(socket, 1006), within_ms);
  }

  /** Handle the close of the socket in use: connect again after a pause, or stop if the code is final. */
  #lost(/** @type {WebSocket} */ socket, /** @type {number} */ code) {
    if (this.#socket !== socket) return;
    const stood = this.status === "open";
    this.#drop();
    if (stood) this.#lostAt = Date.now();
    if (this.#left) return;
    if (code >= STAY_AWAY_FROM || code === 1000) {
      this.#resume = null;
      this.#fail(() => true, new SignallingError("closed", "The connection was closed."));
      this.#setStatus("closed", { code });
      return;
    }
    const unsure = new SignallingError("timeout", "The connection was lost before an answer came.");
    this.#fail((message) => !IDEMPOTENT.has(message.type), unsure);
    const ceiling = Math.min(BACKOFF_MS.most, BACKOFF_MS.first * 2 ** this.#attempt++);
    const wait_ms = code === 1001 ? this.#jitter(DRAIN_JITTER_MS) : ceiling / 2 + this.#jitter(ceiling / 2);
    this.#timers.retry = setTimeout(() => this.#open(), wait_ms);
    this.#setStatus("retrying", { code, retry_at_ms: Date.now() + wait_ms });
    if (this.#unopened >= UNOPENED && !this.#blocked) this.#findBlock();
  }

  /** Find out whether something between browser and server blocks WebSockets. */
  async #findBlock() {
    const blocked = await blocksSockets(this.#url, OPEN_WITHIN_MS);
    this.#blocked = blocked && this.#unopened >= UNOPENED;
    if (this.#blocked && !this.#left) this.#setStatus(this.status);
  }

  #drop() {
    const socket = this.#socket;
    this.#socket = null;
    const { retry, ping, pong, open } = this.#timers;
    for (const timer of [retry, pong, open]) clearTimeout(timer);
    clearInterval(ping);
    this.#timers.pong = 0;
    if (!socket) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close();
  }

  /** Send a request on the open socket; do nothing if no socket is open. */
  #write(/** @type {{ type: RequestType, id: number }} */ message) {
    if (this.#socket?.readyState === 1) this.#socket.send(JSON.stringify(message));
  }

  /**
   * Set the status, and fire `status`.
   * @param {ClientStatus} status the new status
   * @param {Omit<ClientEvents["status"], "status">} detail further fields of the event
   */
  #setStatus(status, detail = {}) {
    this.status = status;
    this.dispatchEvent(new CustomEvent("status", { detail: { status, ...this.#reason(), ...detail } }));
  }

  #reason() {
    return this.#blocked ? { blocked: true } : {};
  }

  /** Return a random time in ms between 0 and the given time. */
  #jitter(/** @type {number} */ ms) {
    return Math.random() * ms;
  }
}
