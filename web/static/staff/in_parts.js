/* Shows many rows that a search lets in again in parts, one part a frame: those in sight come at once. */

/** More than fill a screen. */
const FIRST = 24;
const MORE = 120;

/**
 * Call after the next paint: what a callback of the animation frame draws would be laid out with that paint.
 *
 * @param {() => void} draw
 */
const afterPaint = (draw) => requestAnimationFrame(() => setTimeout(draw));

/** @template {{ visit: string }} [Row=QueuedRow] */
export class InParts {
  #redraw;
  #frame;
  #most = Number.POSITIVE_INFINITY;
  /** @type {Set<string>} the visits of the rows that show */
  #shown = new Set();
  #asked = false;

  /**
   * @param {() => void} redraw
   * @param {(draw: () => void) => void} frame
   */
  constructor(redraw, frame = afterPaint) {
    this.#redraw = redraw;
    this.#frame = frame;
  }

  /** Draw anew; rows that do not show yet come in parts from now on. */
  begin() {
    this.#most = FIRST;
    this.#redraw();
  }

  /**
   * The rows to show now; asks for another drawing if some are left. A row that shows already stays.
   *
   * @param {Row[]} rows all that were found, in order
   */
  of(rows) {
    const shown = rows.filter(({ visit }, at) => at < this.#most || this.#shown.has(visit));
    this.#shown = new Set(shown.map(({ visit }) => visit));
    if (shown.length < rows.length && !this.#asked) {
      this.#asked = true;
      this.#frame(() => {
        this.#asked = false;
        this.#most += MORE;
        this.#redraw();
      });
    }
    return shown;
  }
}
