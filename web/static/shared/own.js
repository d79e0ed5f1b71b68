/* Returns the token that proves to the server that a form comes from one of the server's own pages. The
   token is needed for browsers that do not send the header Origin (Safari before 16.4); the server puts it
   only into pages for these browsers. Forms in the server's templates already contain the token. */
import { html, nothing } from "./lit.js";

const NAME = "form_token";
/** @type {HTMLMetaElement | null} the element with the token; null if the server sent none */
const meta = document.querySelector(`meta[name="${NAME}"]`);
export const token = meta?.content;

/** Return a hidden field with the token that proves the form's origin, for a form that a script draws. */
export const ownField = () => (token ? html`<input type="hidden" name=${NAME} value=${token} />` : nothing);

/**
 * Return a request body with only the token that proves the form's origin; undefined if the token is not
 * needed.
 */
export const ownBody = () => (token ? new URLSearchParams({ [NAME]: token }) : undefined);
