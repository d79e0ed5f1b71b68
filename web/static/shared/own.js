/* The token that proves to the server that a form comes from its own page, for browsers that do not send
   the origin (Safari before 16.4). The server puts the token into the page only for these browsers; forms
   of templates already contain it. */
import { html, nothing } from "./lit.js";

const NAME = "form_token";
/** @type {HTMLMetaElement | null} */
const meta = document.querySelector(`meta[name="${NAME}"]`);
export const token = meta?.content;

/** Return the hidden field with the token, for a form that a script draws. */
export const ownField = () => (token ? html`<input type="hidden" name=${NAME} value=${token} />` : nothing);

/** Return the body with the token, for a request that needs no other field. */
export const ownBody = () => (token ? new URLSearchParams({ [NAME]: token }) : undefined);
