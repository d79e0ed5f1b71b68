/* Draws a long list in parts, one part per animation frame and the visible rows first, when a search shows
   many rows again. */

/** The number of rows in the first part, which is more than a screen shows. */
const FIRST = 24;
const MORE = 120;

/**
 * Call a function after the next paint. If it were called in the animation frame itself, its rows would delay
 * that paint.
 *
 * @param {() => void} draw draws the next part of the list
 */
const afterPaint = (draw) => requestAnimationFrame(() => setTimeout(draw));

/**
 * Chooses which rows of a long list are drawn now.
 *
 * @template {{ visit: string }} [Row=QueuedRow]
 */
export class InParts {
  #redraw;
  #frame;
  #most = Number.POSITIVE_INFINITY;
  /** @type {Set<string>} the visits whose rows are shown */
  #shown = new Set();
  #asked = false;

  /**
   * Make an empty list.
   *
   * @param {() => void} redraw draws the page again
   * @param {(draw: () => void) => void} frame calls a function after the next paint
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
   * Return the rows to show now, and request another drawing if some are missing. A row that is already
   * shown stays.
   *
   * @param {Row[]} rows all rows that the search has found, in order
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
