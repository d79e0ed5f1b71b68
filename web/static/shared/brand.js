/* The mark of a page's organisation: its logo, or the first letter of its name. */
import { html } from "./lit.js";

/**
 * Draws the logo. `alt` is the name if the page does not show it beside the logo.
 *
 * @param {Pick<Organisation, "name" | "logo">} organisation
 */
export function mark({ name, logo }, alt = "") {
  return logo
    ? html`<img class="logo" src=${logo} alt=${alt} />`
    : html`<span class="mark" aria-hidden="true">${name[0].toUpperCase()}</span>`;
}
