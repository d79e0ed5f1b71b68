/* Plays the pictures and the sound of the other parties, the sound on the chosen speaker. Finds out whether
   the browser plays sound only after the person has pressed a button. */

/** Ids under which Chromium lists the system's default speaker a second time. */
const ALIASES = new Set(["default", "communications"]);

/**
 * Return the speakers that a person can choose, without the system's default speaker.
 *
 * @param {Device[]} devices all devices
 */
export const speakersOf = (devices) =>
  devices.filter(({ kind, id }) => kind === "speaker" && !ALIASES.has(id));

/**
 * Return the id of the speaker in use: the chosen speaker while it is plugged in, otherwise "", the system's
 * default.
 *
 * @param {string} chosen the id of the chosen speaker
 * @param {Device[]} devices all devices
 */
export const speakerNow = (chosen, devices) =>
  speakersOf(devices).some(({ id }) => id === chosen) ? chosen : "";

export class Sound {
  #videos;
  #redraw;
  /** @type {Set<HTMLVideoElement>} the elements that the browser did not allow to play */
  #refused = new Set();
  #chosen = "";
  /** @type {Device[]} all devices of this browser, the speakers among them */
  #devices = [];

  /**
   * Keep the function that returns the elements to play; this call plays nothing yet.
   *
   * @param {{ videos: () => Iterable<HTMLVideoElement>, redraw: () => void }} options `videos()` returns the
   *   elements that show the other parties; `redraw()` draws the page again
   */
  constructor({ videos, redraw }) {
    this.#videos = videos;
    this.#redraw = redraw;
  }

  /** True if a press is needed before the browser plays sound. */
  get blocked() {
    return [...this.#videos()].some((video) => this.#refused.has(video));
  }

  /** The id of the speaker, "" for the system's default; null if this browser offers no choice. */
  get speaker() {
    const can = "setSinkId" in HTMLMediaElement.prototype;
    return can ? speakerNow(this.#chosen, this.#devices) : null;
  }

  /**
   * Choose another speaker; return "on", or "failed" if it cannot be used. If the speaker is unplugged and
   * plugged in again later, it is used again.
   *
   * @param {string} id the id of the speaker
   * @returns {Promise<DeviceWord>}
   */
  async choose(id) {
    const before = this.#chosen;
    this.#chosen = id;
    try {
      await this.#route();
      return "on";
    } catch {
      this.#chosen = before;
      await this.#route().catch(() => {});
      return "failed";
    }
  }

  /**
   * Set the list of the present devices.
   *
   * @param {Device[]} devices all devices
   */
  take(devices) {
    this.#devices = devices;
    // An error is ignored: it means that the speaker was unplugged a moment ago. When the browser sends the
    // next list of devices, another speaker is used.
    this.#route().catch(() => {});
  }

  async #route() {
    const { speaker } = this;
    if (speaker === null) return;
    const others = [...this.#videos()].filter(({ sinkId }) => sinkId !== speaker);
    await Promise.all(others.map((video) => video.setSinkId(speaker)));
  }

  /**
   * Play the media of all elements that show other parties now. Browsers allow sound after a press, and on
   * pages that use camera or microphone.
   */
  listen() {
    this.#route().catch(() => {});
    for (const video of this.#videos()) {
      if (!video.srcObject) continue;
      video.play().then(
        () => this.#know(video, false),
        (error) => error.name === "NotAllowedError" && this.#know(video, true),
      );
    }
  }

  /** Play all media because a button was pressed. Browsers then allow sound for later media too. */
  press() {
    this.#refused.clear();
    this.#redraw();
    this.listen();
  }

  /**
   * Record whether the browser refuses to play an element, and redraw after a change.
   *
   * @param {HTMLVideoElement} video the element that shows the party
   * @param {boolean} refused true if the browser refuses
   */
  #know(video, refused) {
    if (this.#refused.has(video) === refused) return;
    if (refused) this.#refused.add(video);
    else this.#refused.delete(video);
    this.#redraw();
  }
}
