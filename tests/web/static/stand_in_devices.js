/* Replaces camera, microphone and screen in tests without a browser. As in browsers, a device is in use until
   each of its tracks, the clones included, is stopped. */

class Track extends EventTarget {
  readyState = "live";
  enabled = true;

  constructor(/** @type {string} */ kind, /** @type {Set<Track>} */ device) {
    super();
    this.kind = kind;
    this.device = device.add(this);
  }

  clone() {
    return new Track(this.kind, this.device);
  }

  stop() {
    this.readyState = "ended";
    this.device.delete(this);
  }

  /** Ends all tracks of the device, as if it were unplugged. */
  unplug() {
    const tracks = [...this.device];
    for (const track of tracks) track.stop();
    for (const track of tracks) track.dispatchEvent(new Event("ended"));
  }
}

class Stream {
  /** @type {Set<Track>} */
  #tracks;

  constructor(/** @type {Iterable<Track>} */ tracks = []) {
    this.#tracks = new Set(tracks);
  }

  getTracks = () => [...this.#tracks];
  getVideoTracks = () => this.getTracks().filter(({ kind }) => kind === "video");
  addTrack = (/** @type {Track} */ track) => this.#tracks.add(track);
  removeTrack = (/** @type {Track} */ track) => this.#tracks.delete(track);
}

/**
 * Installs devices. `opened` gets a track of each device that is opened; a name in `refusal.name` makes every
 * request fail with the error of this name; `one`: true if only one device can be open at a time.
 */
export function install({ one = false } = {}) {
  /** @type {Track[]} */
  const opened = [];
  const refusal = { name: "" };
  const busy = () => one && opened.some(({ device }) => device.size > 0);
  const open = async (/** @type {Record<string, unknown>} */ kinds) => {
    if (refusal.name || busy()) throw new DOMException("", refusal.name || "NotReadableError");
    const tracks = Object.keys(kinds).filter((kind) => kinds[kind]);
    return new Stream(tracks.map((kind) => opened[opened.push(new Track(kind, new Set())) - 1]));
  };
  const mediaDevices = Object.assign(new EventTarget(), { getUserMedia: open, getDisplayMedia: open });
  Object.defineProperty(globalThis, "navigator", { configurable: true, value: { mediaDevices } });
  Object.assign(globalThis, { MediaStream: Stream });
  const inUse = () => opened.filter(({ device }) => device.size > 0).map(({ kind }) => kind);
  return { opened, refusal, inUse, changed: () => mediaDevices.dispatchEvent(new Event("devicechange")) };
}
