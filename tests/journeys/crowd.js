/* Measures how long a page with many patients takes: the time until all rows are painted, and the time for
   changes. A test calls the functions of `crowd`. */
globalThis.crowd = {
  opened: null, // the time at which the last row was painted, in ms after the navigation began

  watch() {
    const seen = { changed: new Set(), elements: 0, frames: 0, longest_ms: 0, began_ms: performance.now() };
    this.seeing = seen;
    new PerformanceObserver((list) => {
      for (const { duration } of list.getEntries()) seen.longest_ms = Math.max(seen.longest_ms, duration);
    }).observe({ type: "longtask" });
    new MutationObserver((changes) => {
      for (const { target, addedNodes, removedNodes } of changes) {
        const element = target.closest ? target : target.parentElement;
        if (!element || element.closest("wait-clock, since-clock")) continue;
        seen.elements += [...addedNodes, ...removedNodes].filter(
          (node) => node.nodeType === Node.ELEMENT_NODE,
        ).length;
        const row = element.closest("[data-visit]");
        if (row) seen.changed.add(row.dataset.visit);
      }
    }).observe(document.querySelector(".requests"), {
      subtree: true,
      childList: true,
      characterData: true,
      attributes: true,
    });
    const frame = () => {
      seen.frames += 1;
      requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
  },

  /** Carries out `act`. Resolves to the time in ms from the act to the end of the frame that shows it: a
      message that is sent in the frame's callback arrives after the browser has painted that frame. */
  async painted(act) {
    const began_ms = performance.now();
    act();
    await new Promise(requestAnimationFrame);
    await new Promise((done) => {
      const { port1, port2 } = new MessageChannel();
      port1.onmessage = done;
      port2.postMessage(null);
    });
    return performance.now() - began_ms;
  },

  /** Returns the visits whose rows are shown, in order. */
  rows() {
    return [...document.querySelectorAll("[data-visit]:not([hidden])")].map(({ dataset }) => dataset.visit);
  },

  /** Returns true if `count` rows are shown, sorted as in `order`, a list of the ids of all visits. */
  shows(count, order) {
    const rows = this.rows();
    const shown = new Set(rows);
    return rows.length === count && String(rows) === String(order.filter((visit) => shown.has(visit)));
  },

  /** Writes a value into the search's field `name`. Resolves to the time in ms until the list was painted. */
  write(name, value) {
    const field = document.querySelector(`.sift [name=${name}]`);
    field.value = value;
    return this.painted(() => field.dispatchEvent(new Event("input", { bubbles: true })));
  },

  /** Marks all rows, those that are hidden included. */
  mark() {
    for (const row of document.querySelectorAll("[data-visit]")) row.marked = true;
  },

  /** Returns how many rows were built since the last call of `mark`. */
  built() {
    return [...document.querySelectorAll("[data-visit]")].filter((row) => !row.marked).length;
  },

  /** Opens another tab and then the list again, so that the page builds every row. */
  async build() {
    const [requests, other] = document.querySelectorAll(".tabs a");
    await this.painted(() => other.click());
    await this.painted(() => requests.click());
  },

  /** Resolves when this number of rows have changed. */
  async until(count) {
    while (this.seeing.changed.size < count) await new Promise((later) => setTimeout(later, 20));
  },

  seen() {
    const { began_ms, changed, frames, ...rest } = this.seeing;
    return { ...rest, changed: [...changed], frames_per_s: (frames * 1000) / (performance.now() - began_ms) };
  },
};

crowd.opened = new Promise((done) => {
  new MutationObserver((_, observer) => {
    if (document.querySelectorAll("[data-visit]").length < 500) return;
    observer.disconnect();
    requestAnimationFrame(() => {
      const painted = new MessageChannel();
      painted.port1.onmessage = () => done(performance.now());
      painted.port2.postMessage(0);
    });
  }).observe(document, { subtree: true, childList: true });
});
