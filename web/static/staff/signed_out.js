/* Removes patients' names, drafts and pictures from a staff page as soon as the sign-in has ended, and
   shows a link to sign in. */
import { forgetDrafts } from "../shared/drafts.js";
import { html, render } from "../shared/lit.js";
import { t } from "../shared/text.js";

/** The codes with which the server closes the socket of a person who was signed out, or has not signed in. */
const CODES = new Set([4201, 4202]);

/**
 * Clear the page as soon as the person is signed out (in this browser, on another device, or by an
 * administrator), and show a link to sign in.
 *
 * @param {import("../signalling.js").SignallingClient} client the connection to the server
 * @param {{ signIn: string, cleared: () => void }} page `signIn`: the address of the sign-in page;
 *   `cleared()` is called first, to stop calls and sounds
 */
export function clearAtSignOut(client, { signIn, cleared }) {
  client.addEventListener("status", ({ detail: { status, code } }) => {
    if (status !== "closed" || !CODES.has(code ?? 0)) return;
    cleared();
    forgetDrafts({ messages: true });
    document.title = t("You are signed out");
    document.body.replaceChildren();
    render(
      html`<main id="main" tabindex="-1" class="page stack">
        <h1>${t("You are signed out")}</h1>
        <p role="status">${t("What stood on this page is cleared. Sign in to go on.")}</p>
        <p><a class="btn main" href=${signIn}>${t("Sign in")}</a></p>
      </main>`,
      document.body,
    );
  });
}
