/* Draws the photos of a visit, for patients and for staff, and removes a photo. */
import { html, nothing, repeat } from "./lit.js";
import { here } from "./page.js";
import { t } from "./text.js";
import { announce, ask, toast } from "./ui.js";

/**
 * Send a form that adds or removes a photo, and show an error if that fails. Return true if the server
 * accepted it.
 *
 * @param {string} path the path to send the form to
 * @param {FormData | null} body the form, or null for no fields
 */
export async function sendForm(path, body) {
  /**
   * @type {string | undefined} the server's sentence about why it refused the form; undefined if it sent
   *   none
   */
  let problem;
  try {
    const answer = await fetch(path, { method: "POST", body });
    if (answer.status === 204) return true;
    problem = (await answer.json()).problem;
  } catch {
    // The server has sent no sentence to show: the connection failed, or the answer is an error page.
  }
  toast(problem ?? t("That did not work. Nothing was changed; please try again."), { bad: true });
  return false;
}

/**
 * Remove a photo, after the person has confirmed it.
 *
 * @param {Protocol.PhotoPart} photo the photo
 */
export async function removePhoto({ path }) {
  const sure = await ask({
    title: t("Remove this photo?"),
    text: t("It is erased for everybody, and cannot be brought back."),
    yes: t("Remove"),
    no: t("Keep it"),
    danger: true,
  });
  if (sure && (await sendForm(`${path}/remove`, null))) announce(t("The photo was removed."));
}

/**
 * Draw the photos, each with the text that describes it, if it has one.
 *
 * @param {Protocol.PhotoPart[]} photos the photos of the visit
 * @param {((photo: Protocol.PhotoPart) => void) | null} remove removes a photo; null for readers who may not
 *   do that
 */
export function photoList(photos, remove) {
  return html`<ul role="list" class="photos">
    ${repeat(
      photos,
      ({ id }) => id,
      (photo, index) => {
        const n = index + 1;
        return html`<li>
          <a href=${here(photo.path)} target="_blank" rel="noopener"
            ><img
              src=${here(photo.path)}
              width=${photo.width}
              height=${photo.height}
              alt=${photo.text ? t("Photo {n}: {text}", { n, text: photo.text }) : t("Photo {n}", { n })}
          /></a>
          ${photo.text ? html`<p class="small" dir="auto" aria-hidden="true">${photo.text}</p>` : nothing}
          ${
            remove
              ? html`<button
                  type="button"
                  class="btn plain"
                  aria-label=${t("Remove photo {n}", { n })}
                  @click=${() => remove(photo)}>
                  ${t("Remove")}
                </button>`
              : nothing
          }
        </li>`;
      },
    )}
  </ul>`;
}
