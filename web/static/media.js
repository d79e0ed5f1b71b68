/**
 * The browser's half of a call: camera, microphone, one RTCPeerConnection that answers what the server offers.
 *
 * Knows tracks and SDP. Does not know the page (no DOM), nor how an offer arrives: hand it to `accept`.
 *
 * Privacy: what is sent are clones of the live tracks, born with `enabled = false`. Until `start()` a clone yields black and
 * silence, so the connection, the encoder and the bandwidth estimate are warm while nothing of the person leaves the device.
 *
 * Events: `state` (detail: new, connecting, connected, reconnecting, failed, closed), `remotetrack` (detail: the track of the one opposite),
 * `remotes` (somebody beside the one opposite came or went), `devicechange`, `trackended` and `trackrestored` (detail: the kind).
 */

const KINDS = ["audio", "video"];

const CONSTRAINTS = {
  audio: { echoCancellation: true, noiseSuppression: true, autoGainControl: true },
  video: { width: { ideal: 640 }, height: { ideal: 480 }, frameRate: { ideal: 30, max: 30 } },
};

/** Why a device cannot be had, by the name of the error that getUserMedia gives. */
const REASONS = {
  NotAllowedError: "denied",
  SecurityError: "insecure",
  NotFoundError: "missing",
  OverconstrainedError: "missing",
  NotReadableError: "busy",
  AbortError: "busy",
};

const STATES = {
  new: "connecting",
  connecting: "connecting",
  connected: "connected",
  disconnected: "reconnecting",
  failed: "failed",
  closed: "closed",
};

/** Waits before each attempt to get back a device that was taken away, for instance by a phone call. */
const REACQUIRE_MS = [0, 1000, 2000, 4000, 8000, 16000];

/** From worst to best: the first row whose limits are passed names the call. */
const WORDS = [
  { words: "poor", loss: 0.08, rtt_ms: 500, freezes: 2 },
  { words: "fair", loss: 0.02, rtt_ms: 250, freezes: 1 },
];

const reasonOf = (error) => REASONS[error?.name] ?? "failed";

/** The session id in an offer's `o=` line: another one means another leg, which needs another connection. */
const sessionOf = (sdp) => /^o=\S+ (\d+)/m.exec(sdp)?.[1] ?? "";

/** Which stream each m-line of an offer belongs to: mid -> the stream's id, which is the key of the party heard there. */
function streamsOf(sdp) {
  const found = new Map();
  for (const section of sdp.split(/^m=/m).slice(1)) {
    const [mid, id] = [/^a=mid:(\S+)/m.exec(section), /^a=msid:(\S+)/m.exec(section)];
    if (mid && id) found.set(mid[1], id[1]);
  }
  return found;
}

/** The m-lines on which this side sends; on the same ones comes the party opposite. Any further ones only bring others. */
const OWN_MIDS = new Set(["0", "1"]);

export class MediaSession extends EventTarget {
  #sendAnswer;
  #connection = null;
  #session = "";
  #state = "new";
  #wasConnected = false;
  #started = false;
  #closed = false;
  #live = { audio: null, video: null };
  #sent = { audio: null, video: null };
  #wanted = { audio: undefined, video: undefined };
  #muted = { audio: false, video: false };
  #preview = new MediaStream();
  #remote = new MediaStream();
  #remotes = new Map();
  #accepting = Promise.resolve();
  #before = null;
  #onDeviceChange = () => this.#emit("devicechange", null);

  /** @param {{ sendAnswer: (sdp: string, offerId: unknown) => Promise<void> }} options */
  constructor({ sendAnswer }) {
    super();
    this.#sendAnswer = sendAnswer;
    globalThis.navigator.mediaDevices?.addEventListener("devicechange", this.#onDeviceChange);
  }

  /** Live local tracks, for the page's own muted <video>. Always the same object. */
  get preview() {
    return this.#preview;
  }

  /** Everybody who is heard: party -> stream, the one opposite among them (as `remote` where the server has not named them). */
  get remotes() {
    return this.#remotes;
  }

  /** What the party opposite sends, for the page's <video>. Always the same object. */
  get remote() {
    return this.#remote;
  }

  /** One of: new, connecting, connected, reconnecting, failed, closed. */
  get state() {
    return this.#state;
  }

  /**
   * Ask for camera and microphone. Never throws: each kind asked for resolves to "on" or to the reason it is not: denied, missing,
   * busy, insecure, failed; one that was not asked for is "off". A call works with either, or with neither.
   */
  async prepare({ audio = true, video = true } = {}) {
    const result = { audio: "off", video: "off" };
    const asked = { audio, video };
    const needed = KINDS.filter((kind) => asked[kind] && this.#live[kind]?.readyState !== "live");
    for (const kind of KINDS) if (asked[kind]) result[kind] = "on";
    if (needed.length === 0) return result;
    if (!globalThis.navigator.mediaDevices?.getUserMedia) {
      for (const kind of needed) result[kind] = "insecure";
      return result;
    }
    try {
      await this.#acquire(needed); // both at once: one question to the person
    } catch (error) {
      for (const kind of needed) result[kind] = reasonOf(error);
      if (needed.length > 1) {
        for (const kind of needed) {
          try {
            await this.#acquire([kind]);
            result[kind] = "on";
          } catch (single) {
            result[kind] = reasonOf(single);
          }
        }
      }
    }
    return result;
  }

  /** The devices to choose from: { kind: "audio" | "video" | "speaker", id, label, selected }. Labels come with permission. */
  async devices() {
    const names = { audioinput: "audio", videoinput: "video", audiooutput: "speaker" };
    const found = (await globalThis.navigator.mediaDevices?.enumerateDevices?.()) ?? [];
    return found
      .filter((device) => device.deviceId !== "" && device.kind in names)
      .map((device) => {
        const kind = names[device.kind];
        const selected = this.#live[kind]?.getSettings().deviceId === device.deviceId;
        return { kind, id: device.deviceId, label: device.label, selected };
      });
  }

  /** Switch to another camera or microphone, before or during the call. Resolves like `prepare`, to "on" or a reason. */
  async useDevice(kind, deviceId) {
    const before = this.#wanted[kind];
    this.#wanted[kind] = deviceId;
    try {
      await this.#acquire([kind]);
      return "on";
    } catch (error) {
      if (reasonOf(error) !== "busy" || !this.#live[kind]) {
        this.#wanted[kind] = before;
        return reasonOf(error);
      }
    }
    // Some phones open one camera at a time: let go of the old one first, and take it back if that was in vain.
    this.#live[kind].stop();
    for (const [wanted, result] of [[deviceId, "on"], [before, "busy"]]) {
      this.#wanted[kind] = wanted;
      try {
        await this.#acquire([kind]);
        return result;
      } catch {
        continue;
      }
    }
    return "busy";
  }

  /**
   * Take an offer of the server and answer it. Offers are taken in the order they come. A `fresh` one, or one of another session,
   * gets a new RTCPeerConnection; any other renegotiates, as for an ICE restart. Rejects when the browser refuses the offer.
   */
  accept({ id, sdp, fresh = false }) {
    const turn = this.#accepting.then(() => this.#answer(id, sdp, fresh));
    this.#accepting = turn.catch(() => undefined);
    return turn;
  }

  /** The person's own press: from now on picture and sound leave the device, unless muted. */
  start() {
    this.#started = true;
    this.#apply();
  }

  /** Back to black and silence. */
  stop() {
    this.#started = false;
    this.#apply();
  }

  /** Camera or microphone off and on. Outlives device switches and new connections. */
  setMuted(kind, muted) {
    this.#muted[kind] = Boolean(muted);
    this.#apply();
  }

  /** Whether a kind is switched off. */
  isMuted(kind) {
    return this.#muted[kind];
  }

  /**
   * How the call is: { words: "good" | "fair" | "poor" | "lost", rtt_ms, loss (0-1), bitrate (bit/s received), freezes,
   * framesDecoded, framesPerSecond, audioEnergy, packetsReceived, framesSent }. Rates are over the time since the last call of this.
   */
  async stats() {
    const now = { at_ms: performance.now(), octets: 0, lost: 0, packetsReceived: 0, freezes: 0, framesDecoded: 0 };
    const figures = { rtt_ms: null, framesPerSecond: 0, audioEnergy: 0, framesSent: 0, sentEnergy: 0 };
    for (const report of (await this.#connection?.getStats())?.values() ?? []) {
      if (report.type === "inbound-rtp") {
        now.octets += report.bytesReceived ?? 0;
        now.lost += report.packetsLost ?? 0;
        now.packetsReceived += report.packetsReceived ?? 0;
        now.freezes += report.freezeCount ?? 0;
        now.framesDecoded += report.framesDecoded ?? 0;
        figures.framesPerSecond += report.framesPerSecond ?? 0;
        figures.audioEnergy += report.totalAudioEnergy ?? 0;
      } else if (report.type === "outbound-rtp") {
        figures.framesSent += report.framesEncoded ?? 0;
      } else if (report.type === "media-source") {
        figures.sentEnergy += report.totalAudioEnergy ?? 0;
      } else if (report.type === "candidate-pair" && report.nominated && report.currentRoundTripTime !== undefined) {
        figures.rtt_ms = report.currentRoundTripTime * 1000;
      }
    }
    const before = this.#before ?? now;
    this.#before = now;
    const seconds = Math.max((now.at_ms - before.at_ms) / 1000, 0.001);
    const lost = Math.max(now.lost - before.lost, 0);
    const expected = Math.max(now.packetsReceived - before.packetsReceived, 0) + lost;
    const recent = {
      rtt_ms: figures.rtt_ms ?? 0,
      loss: expected > 0 ? lost / expected : 0,
      freezes: now.freezes - before.freezes,
    };
    const worse = (row) => recent.loss > row.loss || recent.rtt_ms > row.rtt_ms || recent.freezes >= row.freezes;
    return {
      ...figures,
      words: this.#state === "connected" ? (WORDS.find(worse)?.words ?? "good") : "lost",
      loss: recent.loss,
      bitrate: before === now ? 0 : Math.max(now.octets - before.octets, 0) * 8 / seconds,
      freezes: now.freezes,
      framesDecoded: now.framesDecoded,
      packetsReceived: now.packetsReceived,
    };
  }

  /** Let go of camera, microphone and connection. Nothing works afterwards. */
  close() {
    this.#closed = true;
    globalThis.navigator.mediaDevices?.removeEventListener("devicechange", this.#onDeviceChange);
    this.#connection?.close();
    this.#connection = null;
    for (const kind of KINDS) {
      this.#live[kind]?.stop();
      this.#sent[kind]?.stop();
      this.#live[kind] = this.#sent[kind] = null;
    }
    for (const stream of [this.#preview, this.#remote, ...this.#remotes.values()]) stream.getTracks().forEach((track) => stream.removeTrack(track));
    this.#enter("closed");
  }

  async #acquire(kinds) {
    const constraints = {};
    for (const kind of kinds) {
      const wanted = this.#wanted[kind];
      constraints[kind] = wanted ? { ...CONSTRAINTS[kind], deviceId: { exact: wanted } } : CONSTRAINTS[kind];
    }
    const stream = await globalThis.navigator.mediaDevices.getUserMedia(constraints);
    if (this.#closed) {
      stream.getTracks().forEach((track) => track.stop());
      return;
    }
    for (const track of stream.getTracks()) await this.#adopt(track.kind, track);
  }

  async #adopt(kind, track) {
    const [live, sent] = [this.#live[kind], this.#sent[kind]];
    const clone = track.clone();
    clone.enabled = false; // before anything can send it
    if (kind === "audio" && "contentHint" in clone) clone.contentHint = "speech";
    track.addEventListener("ended", () => this.#lost(kind, track));
    this.#live[kind] = track;
    this.#sent[kind] = clone;
    this.#apply();
    this.#preview.addTrack(track);
    await this.#attach();
    if (live) {
      this.#preview.removeTrack(live);
      live.stop();
      sent.stop();
    }
  }

  /** Send the clones on whatever transceivers there are; a track that comes late needs no renegotiation. */
  async #attach() {
    for (const transceiver of this.#connection?.getTransceivers() ?? []) {
      if (!OWN_MIDS.has(transceiver.mid)) continue;
      const clone = this.#sent[transceiver.receiver.track.kind];
      if (clone && transceiver.sender.track !== clone) await transceiver.sender.replaceTrack(clone);
    }
  }

  #apply() {
    for (const kind of KINDS) {
      if (this.#live[kind]) this.#live[kind].enabled = !this.#muted[kind];
      if (this.#sent[kind]) this.#sent[kind].enabled = this.#started && !this.#muted[kind];
    }
  }

  async #lost(kind, track) {
    if (this.#live[kind] !== track || this.#closed) return;
    this.#emit("trackended", kind);
    for (const wait_ms of REACQUIRE_MS) {
      await new Promise((resolve) => setTimeout(resolve, wait_ms));
      if (this.#live[kind] !== track || this.#closed) return;
      try {
        await this.#acquire([kind]);
        this.#emit("trackrestored", kind);
        return;
      } catch {
        // Still taken, or unplugged: without the device that was chosen, any other will do.
        this.#wanted[kind] = undefined;
      }
    }
  }

  async #answer(id, sdp, fresh) {
    if (this.#closed) throw new DOMException("the session is closed", "InvalidStateError");
    const session = sessionOf(sdp);
    if (fresh || !this.#connection || session !== this.#session) this.#renew();
    this.#session = session;
    const connection = this.#connection;
    await connection.setRemoteDescription({ type: "offer", sdp });
    for (const transceiver of connection.getTransceivers()) {
      transceiver.direction = OWN_MIDS.has(transceiver.mid) ? "sendrecv" : "recvonly";
    }
    this.#sort(streamsOf(sdp));
    await this.#attach();
    await connection.setLocalDescription();
    if (connection === this.#connection) await this.#sendAnswer(connection.localDescription.sdp, id);
  }

  /** Give everybody who is heard a stream of their own, which stays the same object while they are here. */
  #sort(streams) {
    const tracks = new Map();
    for (const { mid, receiver } of this.#connection.getTransceivers()) {
      const party = streams.get(mid);
      if (!party) continue;
      if (OWN_MIDS.has(mid)) tracks.set(party, null);
      else tracks.set(party, [...(tracks.get(party) ?? []), receiver.track]);
    }
    const before = [...this.#remotes.keys()].join();
    for (const party of this.#remotes.keys()) if (!tracks.has(party)) this.#remotes.delete(party);
    for (const [party, theirs] of tracks) {
      const stream = theirs === null ? this.#remote : (this.#remotes.get(party) ?? new MediaStream());
      for (const old of theirs ? stream.getTracks() : []) if (!theirs.includes(old)) stream.removeTrack(old);
      for (const track of theirs ?? []) stream.addTrack(track);
      this.#remotes.set(party, stream);
    }
    if (before !== [...this.#remotes.keys()].join()) this.#emit("remotes", null);
  }

  #renew() {
    this.#connection?.close();
    const connection = new RTCPeerConnection({ bundlePolicy: "max-bundle" });
    this.#connection = connection;
    this.#before = null;
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
  }

  #enter(state) {
    if (state === "connected") this.#wasConnected = true;
    if (state === "connecting" && this.#wasConnected) state = "reconnecting";
    if (state === this.#state) return;
    this.#state = state;
    this.#emit("state", state);
  }

  #emit(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
