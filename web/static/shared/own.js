/* What proves to the server that a form is a page's own, where the browser does not say so itself (Safari
   before 16.4). The server puts a token into the page for such browsers only; the forms of templates have it
   already. */
import { html, nothing } from "./lit.js";

const NAME = "form_token";
/** @type {HTMLMetaElement | null} */
const meta = document.querySelector(`meta[name="${NAME}"]`);
export const token = meta?.content;

/** The hidden field of a form that a script draws. */
export const ownField = () => (token ? html`<input type="hidden" name=${NAME} value=${token} />` : nothing);

/** The body of a request that changes something and says nothing else. */
export const ownBody = () => (token ? new URLSearchParams({ [NAME]: token }) : undefined);
