/* The token that proves to the server that a form comes from its own page, for browsers that do not send
   this (Safari before 16.4). The server puts the token into the page for these browsers only; forms of
   templates have it already. */
import { html, nothing } from "./lit.js";

const NAME = "form_token";
/** @type {HTMLMetaElement | null} */
const meta = document.querySelector(`meta[name="${NAME}"]`);
export const token = meta?.content;

/** The hidden field of a form that a script draws. */
export const ownField = () => (token ? html`<input type="hidden" name=${NAME} value=${token} />` : nothing);

/** The body of a request that needs no other field. */
export const ownBody = () => (token ? new URLSearchParams({ [NAME]: token }) : undefined);
