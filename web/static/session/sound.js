/* Plays the others' pictures and sound, and knows that the browser wants a press first. Knows elements, no
   visit. */

export class Sound {
  #videos;
  #redraw;
  /** @type {Set<HTMLVideoElement>} those that the browser did not let play */
  #refused = new Set();

  /**
   * `videos` are the elements that show the others.
   *
   * @param {{ videos: () => Iterable<HTMLVideoElement>, redraw: () => void }} options
   */
  constructor({ videos, redraw }) {
    this.#videos = videos;
    this.#redraw = redraw;
  }

  /** Whether a press is needed before anything is heard. */
  get blocked() {
    return [...this.#videos()].some((video) => this.#refused.has(video));
  }

  /** Play what is there. Browsers allow it in a press, and to pages that use camera or microphone. */
  listen() {
    for (const video of this.#videos()) {
      if (!video.srcObject) continue;
      video.play().then(
        () => this.#know(video, false),
        (error) => error.name === "NotAllowedError" && this.#know(video, true),
      );
    }
  }

  /** Play in a press: what waits for its first packet has been allowed too. */
  press() {
    this.#refused.clear();
    this.#redraw();
    this.listen();
  }

  /**
   * @param {HTMLVideoElement} video
   * @param {boolean} refused
   */
  #know(video, refused) {
    if (this.#refused.has(video) === refused) return;
    if (refused) this.#refused.add(video);
    else this.#refused.delete(video);
    this.#redraw();
  }
}
