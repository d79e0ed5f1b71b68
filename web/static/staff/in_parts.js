/* Draws a long list in parts when a search shows many rows again, or puts the rows into another order: one
   part per animation frame, the visible rows first. */

/** The number of rows in the first part, which is more than a screen shows. */
const FIRST = 24;
/** The number of rows that each further part shows. */
const SHOWN = 120;
/**
 * The number of rows that each further part puts into their new places; this takes longer than showing rows.
 */
const MOVED = 40;

/**
 * Call a function after the next paint. If the function ran in the animation frame itself, the rows that it
 * draws would delay that paint.
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
  /**
   * The greatest number of found rows that are shown now. A row after these stays shown if the page shows it
   * already.
   */
  #most = Number.POSITIVE_INFINITY;
  /** How many rows are in their new places now; the other rows stay in the order of the previous drawing. */
  #placed = Number.POSITIVE_INFINITY;
  /** @type {Set<string>} the visits whose rows are shown */
  #shown = new Set();
  /** @type {Map<string, number>} visit -> the place of its row in the last drawing */
  #places = new Map();
  #asked = false;

  /**
   * Prepare a list of which no row is shown yet.
   *
   * @param {() => void} redraw draws the page again
   * @param {(draw: () => void) => void} frame calls a function after the next paint
   */
  constructor(redraw, frame = afterPaint) {
    this.#redraw = redraw;
    this.#frame = frame;
  }

  /**
   * Begin a new drawing; rows that are not shown yet are added in parts from now on. `reordered`: true if the
   * rows have a new order; then they are also put into their new places in parts.
   */
  begin({ reordered = false } = {}) {
    this.#most = FIRST;
    if (reordered) this.#placed = FIRST;
    this.#redraw();
  }

  /**
   * Return `rows`, all rows in the order in which to draw them now, and `shown`, those that are not hidden.
   * If some rows are not yet shown or not yet in their new places, plan another drawing. A row that is shown
   * already stays shown if the search has found it.
   *
   * @param {Row[]} all all rows, in order
   * @param {Row[]} found the rows that the search has found, in order
   */
  of(all, found) {
    const shown = found.filter(({ visit }, at) => at < this.#most || this.#shown.has(visit));
    this.#shown = new Set(shown.map(({ visit }) => visit));
    const rows = this.#inPlace(all, found);
    this.#places = new Map(rows.map(({ visit }, at) => [visit, at]));
    if ((shown.length < found.length || this.#placed < all.length) && !this.#asked) {
      this.#asked = true;
      this.#frame(() => {
        this.#asked = false;
        this.#most += SHOWN;
        this.#placed += MOVED;
        this.#redraw();
      });
    }
    return { rows, shown: new Set(shown) };
  }

  /**
   * Return all rows: first the rows that are in their new places, in the new order; then the other rows, in
   * the order of the previous drawing.
   *
   * @param {Row[]} all all rows, in order
   * @param {Row[]} found the rows that the search has found, in order
   */
  #inPlace(all, found) {
    if (this.#placed >= all.length) {
      this.#placed = Number.POSITIVE_INFINITY;
      return all;
    }
    const now = new Set([...all.slice(0, this.#placed), ...found.slice(0, this.#placed)]);
    const place = (/** @type {Row} */ { visit }) => this.#places.get(visit) ?? all.length;
    const later = all.filter((row) => !now.has(row)).sort((a, b) => place(a) - place(b));
    return [...all.filter((row) => now.has(row)), ...later];
  }
}
