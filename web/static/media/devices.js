/**
 * Handles a person's own camera and microphone: requests them, changes to another device, switches them off
 * and on, and opens a lost device again as soon as possible.
 *
 * This module uses getUserMedia and tracks, but not the connection. When another track must be sent, the
 * module calls `send`, a function that its caller has passed. The method `sent` returns the track to send.
 *
 * Privacy: only clones of the live tracks are sent, and they are disabled until `start()`.
 */

/** @type {DeviceKind[]} the kinds of devices that a call sends */
const KINDS = ["audio", "video"];

/** @type {Record<DeviceKind, MediaTrackConstraints>} the constraints with which getUserMedia is called */
const CONSTRAINTS = {
  audio: { echoCancellation: true, noiseSuppression: true, autoGainControl: true },
  video: { width: { ideal: 640 }, height: { ideal: 480 }, frameRate: { ideal: 30, max: 30 } },
};

/** @type {Record<string, DeviceWord>} name of getUserMedia's error -> why the device is not available */
const REASONS = {
  NotAllowedError: "denied",
  SecurityError: "insecure",
  NotFoundError: "missing",
  OverconstrainedError: "missing",
  NotReadableError: "busy",
  AbortError: "busy",
};

/**
 * The pauses in ms before the attempts to get back a device that was taken away, for instance by a phone
 * call.
 */
const REACQUIRE_MS = [0, 1000, 2000, 4000, 8000, 16000];

/**
 * Return true if this page is in a frame of another site, which does not allow the page to use this kind of
 * device. Return false if the browser does not report this.
 *
 * @param {DeviceKind} kind camera (video) or microphone (audio)
 */
function isWithheld(kind) {
  /** @type {any} only some browsers have `featurePolicy` in their document */
  const here = globalThis.document;
  return here?.featurePolicy?.allowsFeature(kind === "video" ? "camera" : "microphone") === false;
}

/**
 * Return why a device is not available. If the settings of the system refuse a device, the error is the
 * same as for a refusal by the person, except its message ("Permission denied by system").
 *
 * @param {unknown} error the error
 * @param {DeviceKind} [kind] camera (video) or microphone (audio)
 * @returns {DeviceWord}
 */
export function reasonOf(error, kind = "video") {
  const { name = "", message = "" } = /** @type {{ name?: string, message?: string }} */ (error ?? {});
  if (name === "NotAllowedError" && /by (the )?system/i.test(message)) return "system";
  if (name === "NotAllowedError" && isWithheld(kind)) return "framed";
  return REASONS[name] ?? "failed";
}

/**
 * @typedef {{
 *   devicechange: null,
 *   trackended: DeviceKind,
 *   trackrestored: DeviceKind,
 *   tracksilent: DeviceKind,
 * }} OwnEvents name of an event of this person's devices -> its detail
 */
/**
 * @typedef {(type: keyof OwnEvents, detail: OwnEvents[keyof OwnEvents]) => void} Notify passes an event to
 *   the listeners
 */

/**
 * Return the kind of a track. In the types of the DOM the kind may be any string.
 *
 * @param {MediaStreamTrack} track the track of the device
 * @returns {DeviceKind}
 */
export const kindOf = ({ kind }) => (kind === "audio" ? "audio" : "video");

/**
 * Return true if the preview of a camera is mirrored: if the camera points at the person, or if its direction
 * is not known, as on a desktop. Text in front of a rear camera would be unreadable in
 * a mirrored picture.
 *
 * @param {MediaStreamTrack | null} camera the track of the camera, or null if there is none
 */
export function isMirrored(camera) {
  const facing = camera?.getSettings().facingMode;
  return !facing || facing === "user";
}

export class OwnDevices {
  #send;
  #notify;
  #started = false;
  #closed = false;
  /**
   * @type {Record<DeviceKind, MediaStreamTrack | null>} the tracks of the devices in use, which the preview
   *   shows
   */
  #live = { audio: null, video: null };
  /** @type {Record<DeviceKind, MediaStreamTrack | null>} the clones of the live tracks, which are sent */
  #sent = { audio: null, video: null };
  /**
   * @type {Record<DeviceKind, string | undefined>} the ids of the devices that the person has chosen;
   *   undefined for the browser's default
   */
  #wanted = { audio: undefined, video: undefined };
  #muted = { audio: false, video: false };
  /** @type {MediaStreamTrack | null} the track of the shared screen; null if none is shared */
  #screen = null;
  #preview = new MediaStream();
  #onDeviceChange = () => {
    for (const live of Object.values(this.#live))
      if (live?.readyState === "ended") this.#reopen(kindOf(live), live);
    this.#notify("devicechange", null);
  };

  /**
   * Make an object that uses no device yet.
   *
   * @param {{ send: () => Promise<void>, notify: Notify }} options `send` must put the track that `sent`
   *   returns on the connection, if there is one; `notify` is called with `devicechange`, `trackended`,
   *   `trackrestored` and `tracksilent`, and the kind of device
   */
  constructor({ send, notify }) {
    this.#send = send;
    this.#notify = notify;
    globalThis.navigator.mediaDevices?.addEventListener("devicechange", this.#onDeviceChange);
  }

  /** The stream with the live tracks, for the page's own muted <video>; always the same object. */
  get preview() {
    return this.#preview;
  }

  /** True if the page must mirror the preview: always, unless the camera points away from the person. */
  get mirrored() {
    return isMirrored(this.#live.video);
  }

  /**
   * Return the track of a kind that may be sent, or null. The track is a clone of the device's track. While
   * the person shares a screen, the screen's track replaces that of the camera.
   *
   * @param {DeviceKind} kind camera (video) or microphone (audio)
   */
  sent(kind) {
    return (kind === "video" && this.#started && this.#screen) || this.#sent[kind];
  }

  /**
   * Send a screen in place of the camera; with null, send the camera again.
   *
   * @param {MediaStreamTrack | null} track the track of the screen, or null
   */
  show(track) {
    this.#screen = track;
    return this.#send();
  }

  /**
   * Ask for the devices of the kinds that are true. Return a word for each kind: "on", the reason
   * why the device is not on, or "off" for a kind that was not asked for.
   */
  async prepare({ audio = true, video = true } = {}) {
    /** @type {Record<DeviceKind, DeviceWord>} the word for each kind, which is returned */
    const result = { audio: "off", video: "off" };
    const asked = { audio, video };
    const works = (/** @type {DeviceKind} */ kind) =>
      this.#live[kind]?.readyState === "live" && !this.isSilent(kind);
    const needed = KINDS.filter((kind) => asked[kind] && !works(kind));
    for (const kind of KINDS) if (asked[kind]) result[kind] = "on";
    if (needed.length === 0) return result;
    if (!globalThis.navigator.mediaDevices?.getUserMedia) {
      const why = globalThis.isSecureContext ? "unsupported" : "insecure";
      for (const kind of needed) result[kind] = why;
      return result;
    }
    try {
      // Camera and microphone are requested together, so that the browser asks the person only once.
      await this.#acquire(needed);
    } catch (error) {
      for (const kind of needed) result[kind] = reasonOf(error, kind);
      if (needed.length > 1) {
        for (const kind of needed) {
          try {
            await this.#acquire([kind]);
            result[kind] = "on";
          } catch (single) {
            result[kind] = reasonOf(single, kind);
          }
        }
      }
    }
    return result;
  }

  /**
   * Return the devices to choose from. Labels are empty until the person has given permission.
   *
   * @returns {Promise<Device[]>}
   */
  async devices() {
    /**
     * @type {Record<MediaDeviceKind, Device["kind"]>} the browser's name of a kind of device -> the name
     *   that pages use
     */
    const names = { audioinput: "audio", videoinput: "video", audiooutput: "speaker" };
    const found = (await globalThis.navigator.mediaDevices?.enumerateDevices?.()) ?? [];
    return found
      .filter((device) => device.deviceId !== "" && device.kind in names)
      .map((device) => {
        const kind = names[device.kind];
        const live = kind === "speaker" ? null : this.#live[kind];
        const selected = live?.getSettings().deviceId === device.deviceId;
        return { kind, id: device.deviceId, label: device.label, selected };
      });
  }

  /**
   * Switch to another device of a kind. Return "on", or the reason why the new device is not on.
   *
   * @param {DeviceKind} kind camera (video) or microphone (audio)
   * @param {string | undefined} deviceId the browser's id of the device
   * @returns {Promise<DeviceWord>}
   */
  async useDevice(kind, deviceId) {
    const before = this.#wanted[kind];
    this.#wanted[kind] = deviceId;
    try {
      await this.#acquire([kind]);
      return "on";
    } catch (error) {
      if (reasonOf(error) !== "busy" || !this.#live[kind]) {
        this.#wanted[kind] = before;
        return reasonOf(error, kind);
      }
    }
    // Some phones can open only one camera. So the old device is stopped first, and opened again if the new
    // device fails. A device is in use until its clone is stopped too.
    const old = this.#live[kind];
    for (const track of [old, this.#sent[kind]]) track?.stop();
    for (const wanted of [deviceId, before]) {
      this.#wanted[kind] = wanted;
      try {
        await this.#acquire([kind]);
        return wanted === deviceId ? "on" : "busy";
      } catch {
        // The new device failed, so the loop tries the old device again.
      }
    }
    if (old) this.#lost(kind, old);
    return "busy";
  }

  /** Begin to send picture and sound, unless muted; called when the person has pressed Start Session. */
  start() {
    this.#started = true;
    this.#apply();
  }

  /** Send black and silence from now on. */
  stop() {
    this.#started = false;
    this.#apply();
  }

  /**
   * Switch the camera or microphone off or on. The choice is kept after a change of device or connection.
   *
   * @param {DeviceKind} kind camera (video) or microphone (audio)
   * @param {boolean} muted true if it is switched off
   */
  setMuted(kind, muted) {
    this.#muted[kind] = Boolean(muted);
    this.#apply();
  }

  /**
   * Return true if the person has switched off this kind of device.
   *
   * @param {DeviceKind} kind camera (video) or microphone (audio)
   */
  isMuted(kind) {
    return this.#muted[kind];
  }

  /**
   * Return true if a device gives neither picture nor sound now, because the switch on the device is off or
   * another program uses it.
   *
   * @param {DeviceKind} kind camera (video) or microphone (audio)
   */
  isSilent(kind) {
    return Boolean(this.#live[kind]?.muted);
  }

  /** Release camera and microphone. The object cannot be used afterwards. */
  close() {
    this.#closed = true;
    globalThis.navigator.mediaDevices?.removeEventListener("devicechange", this.#onDeviceChange);
    for (const kind of KINDS) {
      this.#live[kind]?.stop();
      this.#sent[kind]?.stop();
      this.#live[kind] = this.#sent[kind] = null;
    }
    for (const track of this.#preview.getTracks()) this.#preview.removeTrack(track);
  }

  /**
   * Open the devices of these kinds with one request of getUserMedia. Reject with its error if that fails.
   *
   * @param {DeviceKind[]} kinds the kinds to open
   */
  async #acquire(kinds) {
    /** @type {MediaStreamConstraints} what getUserMedia is asked for */
    const constraints = {};
    for (const kind of kinds) {
      const wanted = this.#wanted[kind];
      constraints[kind] = wanted ? { ...CONSTRAINTS[kind], deviceId: { exact: wanted } } : CONSTRAINTS[kind];
    }
    const stream = await globalThis.navigator.mediaDevices.getUserMedia(constraints);
    for (const track of stream.getTracks()) {
      // The object may be closed at each of these waits.
      if (this.#closed) track.stop();
      else await this.#adopt(kindOf(track), track);
    }
  }

  /**
   * Use a new track: send a clone of it, stop the old track, and add listeners that react when the device is
   * lost or silent.
   *
   * @param {DeviceKind} kind camera (video) or microphone (audio)
   * @param {MediaStreamTrack} track the track of the device
   */
  async #adopt(kind, track) {
    const [live, sent] = [this.#live[kind], this.#sent[kind]];
    const clone = track.clone();
    // The clone is disabled before any other code can send it, so that no picture or sound leaves too early.
    clone.enabled = false;
    if (kind === "audio" && "contentHint" in clone) clone.contentHint = "speech";
    track.addEventListener("ended", () => this.#lost(kind, track));
    for (const type of ["mute", "unmute"]) {
      track.addEventListener(type, () => this.#live[kind] === track && this.#notify("tracksilent", kind));
    }
    this.#live[kind] = track;
    this.#sent[kind] = clone;
    this.#apply();
    this.#preview.addTrack(track);
    await this.#send();
    if (live) {
      this.#preview.removeTrack(live);
      live.stop();
      sent?.stop();
    }
  }

  #apply() {
    for (const kind of KINDS) {
      const [live, sent] = [this.#live[kind], this.#sent[kind]];
      if (live) live.enabled = !this.#muted[kind];
      if (sent) sent.enabled = this.#started && !this.#muted[kind];
    }
  }

  /**
   * Handle the loss of a device: try to open the device again after each pause of REACQUIRE_MS.
   *
   * @param {DeviceKind} kind camera (video) or microphone (audio)
   * @param {MediaStreamTrack} track the ended track of the device
   */
  async #lost(kind, track) {
    if (this.#live[kind] !== track || this.#closed) return;
    this.#notify("trackended", kind);
    for (const wait_ms of REACQUIRE_MS) {
      await new Promise((resolve) => setTimeout(resolve, wait_ms));
      if (await this.#reopen(kind, track)) return;
    }
  }

  /** Try to open a lost device again; return false if that failed. */
  async #reopen(/** @type {DeviceKind} */ kind, /** @type {MediaStreamTrack} */ track) {
    if (this.#live[kind] !== track || this.#closed) return true;
    try {
      await this.#acquire([kind]);
      this.#notify("trackrestored", kind);
      return true;
    } catch {
      // The chosen device is unplugged or in use elsewhere. So the person gets any other device of this kind.
      this.#wanted[kind] = undefined;
      return false;
    }
  }
}
