/* When a search shows many rows again, draws them in parts, one part per animation frame, the visible rows
   first. */

/** the number of rows in the first part: more than a screen shows */
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

  /** Begin a new drawing; rows that are not shown yet are added in parts from now on. */
  begin() {
    this.#most = FIRST;
    this.#redraw();
  }

  /**
   * The rows to show now; asks for another drawing if some are missing. A row that is already shown stays.
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
