/**
 * The browser's half of a call: camera, microphone, and one RTCPeerConnection that answers the server's
 * offers.
 *
 * This module handles the connection and SDP. `media/devices.js` handles the person's own devices,
 * `media/figures.js` the quality of a call, `media/arrivals.js` parties whose media stopped,
 * `media/answer.js` changes to the browser's answer. This module does not use the DOM. The page passes each
 * offer to `accept`. Pages import only this module; the four other modules are its parts.
 *
 * Privacy: only clones of the live tracks are sent. They begin with `enabled = false`, so until `start()` a
 * clone gives black and silence. The connection, the encoder and the bandwidth estimate are ready by then,
 * but no picture or sound of the person leaves the device.
 *
 * Events: `state` (detail: new, connecting, connected, reconnecting, failed, closed), `remotetrack`
 * (detail: the track of the opposite party), `remotes` (another party came or left), `devicechange`,
 * `trackended`, `trackrestored` and `tracksilent` (the result of `isSilent` has changed; detail: the kind).
 */

import { savesWithH264, sendLayers, withH264First, withNackForSound } from "./media/answer.js";
import { Arrivals } from "./media/arrivals.js";
import { kindOf, OwnDevices } from "./media/devices.js";
import { Figures } from "./media/figures.js";

/**
 * @typedef {"new" | "connecting" | "connected" | "reconnecting" | "failed" | "closed"} MediaState the state
 *   of the connection; `reconnecting`: the connection was lost after it had been established
 */
/**
 * @typedef {import("./media/devices.js").OwnEvents & { state: MediaState, remotetrack: MediaStreamTrack,
 *   remotes: null }} MediaEvents name of an event of MediaSession -> its detail
 */

/** @type {Record<RTCPeerConnectionState, MediaState>} the browser's state -> the state that pages show */
const STATES = {
  new: "connecting",
  connecting: "connecting",
  connected: "connected",
  disconnected: "reconnecting",
  failed: "failed",
  closed: "closed",
};

/**
 * Return the session id in an offer's `o=` line. An offer whose id differs from that of the previous offer
 * is from another endpoint of the server, so it needs a new connection.
 */
const sessionOf = (/** @type {string} */ sdp) => /^o=\S+ (\d+)/m.exec(sdp)?.[1] ?? "";

/**
 * Return the stream of each m-line of an offer: mid -> the stream's id, which is the key of the party whose
 * media the m-line carries.
 * @param {string} sdp the text of the offer
 */
function streamsOf(sdp) {
  /** @type {Map<string, string>} mid of an m-line -> the id of its stream */
  const found = new Map();
  for (const section of sdp.split(/^m=/m).slice(1)) {
    const [mid, id] = [/^a=mid:(\S+)/m.exec(section), /^a=msid:(\S+)/m.exec(section)];
    if (mid && id) found.set(mid[1], id[1]);
  }
  return found;
}

/**
 * The mids (numbers of m-lines in SDP) on which this browser sends. The browser receives the opposite party
 * on the same m-lines, and other parties on further m-lines. Until a transceiver is in an offer, its mid is
 * null.
 * @type {Set<string | null>}
 */
const OWN_MIDS = new Set(["0", "1"]);

/**
 * Return true if this browser can hold a call. Old browsers, and browsers with strict settings, have no
 * RTCPeerConnection.
 */
export const canCall = () => "RTCPeerConnection" in globalThis;

const Target = /** @type {new () => Events<MediaEvents>} */ (EventTarget);

export class MediaSession extends Target {
  #sendAnswer;
  /** @type {RTCPeerConnection | null} carries the call's media; null before the first offer */
  #connection = null;
  #session = "";
  // True if this device uses less battery with H.264, because it encodes H.264 in hardware but not VP8.
  #h264 = false;
  /** @type {MediaState} the state that the event `state` has reported last */
  #state = "new";
  #wasConnected = false;
  #closed = false;
  #own = new OwnDevices({ send: () => this.#attach(), notify: (type, detail) => this.#emit(type, detail) });
  #figures = new Figures();
  #arrivals = new Arrivals();
  #remote = new MediaStream();
  /** @type {Map<string, MediaStream>} party -> the stream with its media */
  #remotes = new Map();
  /** @type {Promise<unknown>} settles when all earlier offers have answers; the next offer waits for it */
  #accepting = Promise.resolve();

  /**
   * Make a media session that uses no device and has no connection yet.
   *
   * @param {{ sendAnswer: (sdp: string, offerId: number) => Promise<unknown> }} options `sendAnswer` sends an
   *   SDP answer to the offer with this number
   */
  constructor({ sendAnswer }) {
    super();
    this.#sendAnswer = sendAnswer;
    savesWithH264(navigator.mediaCapabilities).then((saves) => {
      this.#h264 = saves;
    });
  }

  /** The stream with the live local tracks, for the page's own muted <video>; always the same object. */
  get preview() {
    return this.#own.preview;
  }

  /** True if the preview is mirrored: always, unless the camera points away from the person. */
  get mirrored() {
    return this.#own.mirrored;
  }

  /**
   * The streams of all other parties: party -> stream. If the server has not named the opposite party, its
   * key is `remote`.
   */
  get remotes() {
    return this.#remotes;
  }

  /** The opposite party's stream, for the page's <video>; always the same object. */
  get remote() {
    return this.#remote;
  }

  /** The state of the connection: new, connecting, connected, reconnecting, failed or closed. */
  get state() {
    return this.#state;
  }

  /**
   * Ask for camera and microphone; never throw. Return a word for each kind: "on", or the reason why the
   * device is not on: denied, system (the system's settings refuse it), missing, busy, insecure (an http
   * page), unsupported (no getUserMedia), failed; "off" for a kind that was not asked for. A call works with
   * one kind, or with none.
   * @param {Partial<Record<DeviceKind, boolean>>} kinds true for each kind to ask for, which is the default
   */
  prepare(kinds) {
    return this.#own.prepare(kinds);
  }

  /**
   * Return the devices to choose from: { kind: "audio" | "video" | "speaker", id, label, selected }. Labels
   * are empty until the person has given permission.
   */
  devices() {
    return this.#own.devices();
  }

  /**
   * Switch to another camera or microphone, before or during the call. Return "on", or the
   * reason why the new device is not on.
   * @param {DeviceKind} kind camera (video) or microphone (audio)
   * @param {string} deviceId the browser's id of the device
   */
  useDevice(kind, deviceId) {
    return this.#own.useDevice(kind, deviceId);
  }

  /**
   * Apply an offer of the server and answer it; offers are handled in the order in which they arrive. A
   * `fresh` offer, or one of another SDP session, gets a new RTCPeerConnection; any other offer renegotiates,
   * as for an ICE restart. Reject if the browser refuses the offer.
   * @param {{ id: number, sdp: string, fresh?: boolean, iceServers?: RTCIceServer[] }} offer `iceServers`:
   *   TURN servers with credentials that expire
   */
  accept({ id, sdp, fresh = false, iceServers = [] }) {
    const turn = this.#accepting.then(() => this.#answer(sdp, fresh, iceServers));
    this.#accepting = turn.catch(() => undefined);
    return turn.then((answer) => answer && this.#sendAnswer(answer, id));
  }

  /** Begin to send picture and sound, unless muted; called when the person has pressed Start Session. */
  start() {
    this.#own.start();
  }

  /** Send a screen in place of the camera; with null, send the camera again. */
  show(/** @type {MediaStreamTrack | null} */ track) {
    return this.#own.show(track);
  }

  /** Send black and silence from now on. */
  stop() {
    this.#own.stop();
  }

  /**
   * Switch the camera or microphone off or on. The choice is kept after a change of device or connection.
   * @param {DeviceKind} kind camera (video) or microphone (audio)
   * @param {boolean} muted true if it is switched off
   */
  setMuted(kind, muted) {
    this.#own.setMuted(kind, muted);
  }

  /** Return true if the person has switched off this kind of device. */
  isMuted(/** @type {DeviceKind} */ kind) {
    return this.#own.isMuted(kind);
  }

  /**
   * Return true if a device gives neither picture nor sound now, because the device's own switch is off or
   * another program uses it.
   * @param {DeviceKind} kind camera (video) or microphone (audio)
   */
  isSilent(kind) {
    return this.#own.isSilent(kind);
  }

  /**
   * Return the quality of the call: `words` is good, fair, poor, quiet (no packet arrives) or lost;
   * `rtt_ms`; `loss` (0 to 1); `bitrate` (bit/s received); and the browser's counters, such as `freezes`.
   * Loss and bitrate are for the time since the previous call of this function.
   */
  async stats() {
    const at_ms = performance.now();
    const reports = await this.#connection?.getStats();
    return this.#figures.read(at_ms, reports, this.#state === "connected");
  }

  /**
   * Return each party whose packets ("silent") or pictures ("still") have not arrived for two seconds.
   * @param {(party: string) => { audio: boolean, video: boolean }} offOf returns true for each kind of media
   *   that the party has switched off, so that its absence is expected
   * @returns {Promise<Map<string, import("./media/arrivals.js").Stopped>>} party -> what has stopped
   */
  async stopped(offOf) {
    const at_ms = performance.now();
    const reports = await this.#connection?.getStats();
    return this.#arrivals.read(at_ms, reports, (track) => this.#partyOf(track), offOf);
  }

  /** Release camera, microphone and connection. The object cannot be used afterwards. */
  close() {
    this.#closed = true;
    this.#connection?.close();
    this.#connection = null;
    this.#own.close();
    for (const stream of [this.#remote, ...this.#remotes.values()])
      for (const track of stream.getTracks()) stream.removeTrack(track);
    this.#enter("closed");
  }

  /**
   * Return the key of the party that a track belongs to; undefined if no stream has the track.
   * @param {string} track the id of the track
   */
  #partyOf(track) {
    for (const [party, stream] of this.#remotes) if (stream.getTrackById(track)) return party;
    return undefined;
  }

  /**
   * Send the clones of the camera's and the microphone's track on the existing transceivers. A track that is
   * added later needs no renegotiation.
   */
  async #attach() {
    for (const transceiver of this.#connection?.getTransceivers() ?? []) {
      if (!OWN_MIDS.has(transceiver.mid)) continue;
      const track = this.#own.sent(kindOf(transceiver.receiver.track));
      if (transceiver.sender.track !== track) await transceiver.sender.replaceTrack(track);
    }
  }

  /**
   * Apply an offer, and return the answer; null if there is a newer connection. Throw if this object is
   * closed or the browser refuses the offer.
   * @param {string} sdp the text of the offer
   * @param {boolean} fresh true if a new connection is needed
   * @param {RTCIceServer[]} iceServers the TURN servers
   */
  async #answer(sdp, fresh, iceServers) {
    if (this.#closed) throw new DOMException("the session is closed", "InvalidStateError");
    const session = sessionOf(sdp);
    const held = fresh || session !== this.#session ? null : this.#connection;
    const connection = held ?? this.#renew(iceServers);
    if (held && iceServers.length) held.setConfiguration({ ...held.getConfiguration(), iceServers });
    this.#session = session;
    await connection.setRemoteDescription({ type: "offer", sdp });
    for (const transceiver of connection.getTransceivers()) {
      transceiver.direction = OWN_MIDS.has(transceiver.mid) ? "sendrecv" : "recvonly";
    }
    this.#sort(connection, streamsOf(sdp));
    await this.#attach();
    await this.#describe(connection, sdp);
    await this.#layer(connection);
    return connection === this.#connection ? connection.localDescription?.sdp : null;
  }

  /**
   * Answer an offer with NACK for sound (requests for lost packets) and with the codec that costs this device
   * less battery. If the browser does not accept the changed answer, answer with the unchanged answer.
   * @param {RTCPeerConnection} connection the connection of the call
   * @param {string} offer the text of the server's offer
   */
  async #describe(connection, offer) {
    const own = await connection.createAnswer();
    const withNack = withNackForSound(own.sdp ?? "", offer);
    const sdp = this.#h264 ? withH264First(withNack) : withNack;
    await connection
      .setLocalDescription({ type: "answer", sdp })
      .catch(() => connection.setLocalDescription());
  }

  /**
   * Send this person's video in temporal layers if several parties receive it.
   * @param {RTCPeerConnection} connection the connection of the call
   */
  async #layer(connection) {
    for (const { mid, receiver, sender } of connection.getTransceivers())
      if (OWN_MIDS.has(mid) && kindOf(receiver.track) === "video")
        await sendLayers(sender, this.#remotes.size > 1);
  }

  /**
   * Put each party's tracks into a stream, which stays the same object while the party is present.
   * @param {RTCPeerConnection} connection the connection of the call
   * @param {Map<string, string>} streams mid of an m-line -> the id of its stream, which is the key of a
   *   party
   */
  #sort(connection, streams) {
    /** @type {Map<string, MediaStreamTrack[] | null>} party -> its tracks; null: `#remote` is its stream */
    const tracks = new Map();
    for (const { mid, receiver } of connection.getTransceivers()) {
      const party = mid && streams.get(mid);
      if (!party) continue;
      if (OWN_MIDS.has(mid)) tracks.set(party, null);
      else tracks.set(party, [...(tracks.get(party) ?? []), receiver.track]);
    }
    const before = [...this.#remotes.keys()].join();
    for (const party of this.#remotes.keys()) if (!tracks.has(party)) this.#remotes.delete(party);
    for (const [party, theirs] of tracks) {
      const stream = theirs === null ? this.#remote : (this.#remotes.get(party) ?? new MediaStream());
      if (theirs) {
        for (const old of stream.getTracks()) if (!theirs.includes(old)) stream.removeTrack(old);
        for (const track of theirs) stream.addTrack(track);
      }
      this.#remotes.set(party, stream);
    }
    if (before !== [...this.#remotes.keys()].join()) this.#emit("remotes", null);
  }

  /**
   * Close the old connection. Make a new connection, add its event listeners, and return it.
   * @param {RTCIceServer[]} iceServers the TURN servers
   */
  #renew(iceServers) {
    this.#connection?.close();
    const connection = new RTCPeerConnection({ bundlePolicy: "max-bundle", iceServers });
    this.#connection = connection;
    this.#figures.restart();
    this.#arrivals.restart();
    connection.addEventListener("track", ({ track, transceiver }) => {
      if (!OWN_MIDS.has(transceiver.mid)) return;
      for (const old of this.#remote.getTracks()) if (old.kind === track.kind) this.#remote.removeTrack(old);
      this.#remote.addTrack(track);
      this.#emit("remotetrack", track);
    });
    connection.addEventListener("connectionstatechange", () => {
      if (connection === this.#connection) this.#enter(STATES[connection.connectionState]);
    });
    this.#enter("connecting");
    return connection;
  }

  /**
   * Change the state of the connection and fire `state`, if it is another state than before.
   * @param {MediaState} state the new state
   */
  #enter(state) {
    if (state === "connected") this.#wasConnected = true;
    if (state === "connecting" && this.#wasConnected) state = "reconnecting";
    if (state === this.#state) return;
    this.#state = state;
    this.#emit("state", state);
  }

  /**
   * Fire an event.
   * @param {keyof MediaEvents} type the name of the event
   * @param {MediaEvents[keyof MediaEvents]} detail the `detail` of the event
   */
  #emit(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
