/*
 * Exports the vendored lit-html, so that the path and the version number of the library are written only
 * once.
 */

export { guard } from "../vendor/lit-html/directives/guard.js";
export { keyed } from "../vendor/lit-html/directives/keyed.js";
/* Templates set the property `srcObject` of a video with `live`. Without it, lit would set the stream at
   each drawing, and the video would restart. */
export { live } from "../vendor/lit-html/directives/live.js";
export { ref } from "../vendor/lit-html/directives/ref.js";
export { repeat } from "../vendor/lit-html/directives/repeat.js";
export { html, nothing, render, svg } from "../vendor/lit-html/lit-html.js";

/* A browser that translates the page replaces text nodes by <font> elements. lit then writes new text to the
   property `data` of such an element, which has no effect. Here <font> gets a property `data` that shows the
   new text on the page, so that the browser translates the text again. */
if (globalThis.HTMLFontElement)
  Object.defineProperty(HTMLFontElement.prototype, "data", {
    set(/** @type {string} */ text) {
      this.textContent = text;
    },
  });
