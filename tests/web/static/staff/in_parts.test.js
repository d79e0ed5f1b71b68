import assert from "node:assert/strict";
import { test } from "node:test";
import { InParts } from "../../../../web/static/staff/in_parts.js";

const rows = (/** @type {number} */ count) =>
  Array.from({ length: count }, (_, at) => ({ visit: `v_${at}` }));

/**
 * Returns a list of 500 rows, which is drawn in parts. For each drawing, `drawn` has the number of shown
 * rows, and `orders` the ids of the rows in their order. `frames` has the functions that the browser would
 * call after it has painted; here the test calls them.
 */
function list() {
  let all = rows(500);
  let found = all;
  /** @type {number[]} */
  const drawn = [];
  /** @type {string[][]} */
  const orders = [];
  const draw = () => {
    const { rows, shown } = parts.of(all, found);
    drawn.push(shown.size);
    orders.push(rows.map(({ visit }) => visit));
  };
  /** @type {(() => void)[]} */
  const frames = [];
  const parts = new InParts(draw, (later) => frames.push(later));
  return {
    drawn,
    orders,
    frames,
    search(/** @type {{ visit: string }[]} */ now) {
      found = now;
      parts.begin();
    },
    order(/** @type {{ visit: string }[]} */ now, some = now) {
      all = now;
      found = some;
      parts.begin({ reordered: true });
    },
    come(/** @type {{ visit: string }} */ row) {
      all = [row, ...all];
      found = [row, ...found];
      draw();
    },
    draw,
  };
}

/** Draws all parts of a list that are not drawn yet. `frames`: the property `frames` of the list. */
function finish(/** @type {(() => void)[]} */ frames) {
  for (let frame = frames.shift(); frame; frame = frames.shift()) frame();
}

const ids = (/** @type {{ visit: string }[]} */ some) => some.map(({ visit }) => visit);

test("all rows of a list that nobody has searched show at once", () => {
  const { drawn, frames, draw } = list();
  draw();
  assert.deepEqual([drawn, frames.length], [[500], 0]);
});

test("rows that a search lets in again come in parts, those in sight at once, until all are there", () => {
  const { drawn, frames, search } = list();
  search([]);
  search(rows(500));
  finish(frames);
  assert.deepEqual(drawn, [0, 24, 144, 264, 384, 500]);
});

test("a row that shows already stays, however far down it is", () => {
  const { drawn, draw, search } = list();
  draw();
  search(rows(500).slice(100));
  assert.deepEqual(drawn, [500, 400]);
});

test("rows in another order move in parts, those in sight at once, and none is hidden meanwhile", () => {
  const { drawn, orders, frames, draw, order } = list();
  draw();
  const reversed = rows(500).reverse();
  order(reversed);
  const [, first] = orders;
  assert.deepEqual(first, [...ids(reversed.slice(0, 24)), ...ids(rows(476))]);
  frames.shift()?.();
  assert.deepEqual(orders[2], [...ids(reversed.slice(0, 64)), ...ids(rows(436))]);
  finish(frames);
  assert.deepEqual(orders.at(-1), ids(reversed));
  assert.deepEqual(new Set(drawn), new Set([500]));
});

test("of rows that a search has found, those in sight are in the new order at once", () => {
  const { orders, frames, draw, order } = list();
  draw();
  const reversed = rows(500).reverse();
  const found = reversed.filter((_, at) => at % 100 === 7);
  order(reversed, found);
  const shown = new Set(ids(found));
  assert.deepEqual(
    orders[1].filter((visit) => shown.has(visit)),
    ids(found),
  );
  finish(frames);
  assert.deepEqual(orders.at(-1), ids(reversed));
});

test("a search moves no row, also while another order is being drawn", () => {
  const { orders, frames, draw, search, order } = list();
  draw();
  search(rows(500).slice(100));
  assert.deepEqual(orders[1], ids(rows(500)));
  const reversed = rows(500).reverse();
  order(reversed);
  search(reversed.slice(0, 3));
  assert.deepEqual(orders[3], orders[2]);
  finish(frames);
  assert.deepEqual(orders.at(-1), ids(reversed));
});

test("a row that comes while another order is being drawn is at its place at once", () => {
  const { orders, frames, draw, order, come } = list();
  draw();
  order(rows(500).reverse());
  come({ visit: "v_new" });
  assert.equal(orders[2][0], "v_new");
  finish(frames);
  assert.deepEqual(orders.at(-1), ["v_new", ...ids(rows(500).reverse())]);
});

test("drawings for other reasons ask for no second frame", () => {
  const { frames, search, draw } = list();
  search([]);
  search(rows(500));
  draw();
  assert.equal(frames.length, 1);
});

test("the next part is drawn after the paint, not in the frame before it", async () => {
  const { requestAnimationFrame } = globalThis;
  /** @type {(() => void)[]} */
  const frames = [];
  globalThis.requestAnimationFrame = (later) => frames.push(/** @type {() => void} */ (later));
  try {
    const drawn = [0];
    const parts = new InParts(() => drawn.push(parts.of(rows(500), found).shown.size));
    let found = rows(0);
    parts.begin();
    found = rows(500);
    parts.begin();
    frames.shift()?.();
    assert.deepEqual(drawn, [0, 0, 24], "in the frame itself nothing more is drawn");
    await new Promise((done) => setTimeout(done));
    assert.deepEqual(drawn, [0, 0, 24, 144]);
  } finally {
    globalThis.requestAnimationFrame = requestAnimationFrame;
  }
});
