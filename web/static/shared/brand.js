/* Draws the mark of a page's organisation, which is its logo or the first letter of its name. */
import { html } from "./lit.js";

/**
 * Draw the logo. `alt`: the text for people who do not see it, which is the name unless the page shows the
 * name beside the logo.
 *
 * @param {Pick<Organisation, "name" | "logo">} organisation
 */
export function mark({ name, logo }, alt = "") {
  return logo
    ? html`<img class="logo" src=${logo} alt=${alt} />`
    : html`<span class="mark" aria-hidden="true">${name[0].toUpperCase()}</span>`;
}
