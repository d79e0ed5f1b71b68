/* The mark of a page's organisation: its logo, or the first letter of its name. */
import { html } from "./lit.js";

/**
 * The logo alone; the name is beside it, or in `alt` if it is not.
 *
 * @param {Pick<Organisation, "name" | "logo">} organisation
 */
export function mark({ name, logo }, alt = "") {
  return logo
    ? html`<img class="logo" src=${logo} alt=${alt} />`
    : html`<span class="mark" aria-hidden="true">${name[0].toUpperCase()}</span>`;
}
