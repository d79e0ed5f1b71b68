/* Declares the types of `lit.js`: the vendored files have no types, but the npm package of the same
   version has them. */
export { html, nothing, render, svg } from "lit-html";
export { guard } from "lit-html/directives/guard.js";
export { keyed } from "lit-html/directives/keyed.js";
export { live } from "lit-html/directives/live.js";
export { ref } from "lit-html/directives/ref.js";
export { repeat } from "lit-html/directives/repeat.js";
