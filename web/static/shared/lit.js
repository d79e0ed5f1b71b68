/* Exports the vendored lit-html, so that its path and version are written only once. */

export { guard } from "../vendor/lit-html/directives/guard.js";
export { keyed } from "../vendor/lit-html/directives/keyed.js";
// Templates set `srcObject` by `live`. Otherwise lit would set it at each drawing, and a video restarts when
// its stream is set.
export { live } from "../vendor/lit-html/directives/live.js";
export { ref } from "../vendor/lit-html/directives/ref.js";
export { repeat } from "../vendor/lit-html/directives/repeat.js";
export { html, nothing, render, svg } from "../vendor/lit-html/lit-html.js";

// A browser that translates the page replaces text nodes by <font> elements, and lit then writes to `data` of
// such an element. The property that is defined here passes the text on to the page, and the browser
// translates it again.
if (globalThis.HTMLFontElement)
  Object.defineProperty(HTMLFontElement.prototype, "data", {
    set(/** @type {string} */ text) {
      this.textContent = text;
    },
  });
