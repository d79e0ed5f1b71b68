/* Draws the mark of the organisation whose page this is: the logo, or the first letter of the name. */
import { html } from "./lit.js";

/**
 * Draw the mark. `alt`: the text for people who do not see the logo; empty if the page shows the name beside
 * it.
 *
 * @param {Pick<Organisation, "name" | "logo">} organisation the name, and the address of the logo if there is
 *   one
 */
export function mark({ name, logo }, alt = "") {
  return logo
    ? html`<img class="logo" src=${logo} alt=${alt} />`
    : html`<span class="mark" aria-hidden="true">${name[0].toUpperCase()}</span>`;
}
