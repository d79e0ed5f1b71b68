import assert from "node:assert/strict";
import { test } from "node:test";
import { InParts } from "../../../../web/static/staff/in_parts.js";

const rows = (/** @type {number} */ count) =>
  Array.from({ length: count }, (_, at) => ({ visit: `v_${at}` }));

/** Returns a list whose `drawn` has the number of rows of each drawing; `frames` wait for the test. */
function list() {
  let found = rows(500);
  /** @type {number[]} */
  const drawn = [];
  const draw = () => drawn.push(parts.of(found).length);
  /** @type {(() => void)[]} */
  const frames = [];
  const parts = new InParts(draw, (later) => frames.push(later));
  return {
    drawn,
    frames,
    search(/** @type {{ visit: string }[]} */ now) {
      found = now;
      parts.begin();
    },
    draw,
  };
}

test("all rows of a list that nobody has searched show at once", () => {
  const { drawn, frames, draw } = list();
  draw();
  assert.deepEqual([drawn, frames.length], [[500], 0]);
});

test("rows that a search lets in again come in parts, those in sight at once, until all are there", () => {
  const { drawn, frames, search } = list();
  search([]);
  search(rows(500));
  for (let frame = frames.shift(); frame; frame = frames.shift()) frame();
  assert.deepEqual(drawn, [0, 24, 144, 264, 384, 500]);
});

test("a row that shows already stays, however far down it is", () => {
  const { drawn, draw, search } = list();
  draw();
  search(rows(500).slice(100));
  assert.deepEqual(drawn, [500, 400]);
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
    const parts = new InParts(() => drawn.push(parts.of(found).length));
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
