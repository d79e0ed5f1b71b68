/* The one door to the vendored lit-html, so that its place and version are named once. */
export { html, svg, nothing, render } from "../vendor/lit-html/lit-html.js";
export { repeat } from "../vendor/lit-html/directives/repeat.js";
export { guard } from "../vendor/lit-html/directives/guard.js";
export { live } from "../vendor/lit-html/directives/live.js";
export { ref } from "../vendor/lit-html/directives/ref.js";
export { keyed } from "../vendor/lit-html/directives/keyed.js";
