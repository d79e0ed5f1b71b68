/* Sends the patient's photos, which are chosen or taken, made small in this browser, and shown before they
   are sent. The server encodes each photo again; photos are made small only so that they arrive sooner. */
import { html, nothing } from "../shared/lit.js";
import { photoList, removePhoto, sendForm } from "../shared/photos.js";
import { t } from "../shared/text.js";
import { announce, fillIn } from "../shared/ui.js";

const MOST = 6;
const MOST_SIDE = 1600;
const QUALITY = 0.85;
/**
 * The accepted types of files. Because the field names these types, phones convert photos of other formats,
 * and offer the camera.
 */
const KINDS = "image/jpeg,image/png,image/webp";

/**
 * Return the picture as a small JPEG. If this browser cannot read the file, return the file itself; the
 * server then answers with the reason.
 *
 * @param {File} file the file that the person has chosen
 * @returns {Promise<Blob>}
 */
async function small(file) {
  try {
    const bitmap = await createImageBitmap(file, { imageOrientation: "from-image" });
    const scale = Math.min(1, MOST_SIDE / Math.max(bitmap.width, bitmap.height));
    const canvas = document.createElement("canvas");
    canvas.width = Math.max(1, Math.round(bitmap.width * scale));
    canvas.height = Math.max(1, Math.round(bitmap.height * scale));
    const paper = canvas.getContext("2d");
    if (!paper) return file;
    paper.fillStyle = "#fff";
    paper.fillRect(0, 0, canvas.width, canvas.height);
    paper.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
    bitmap.close();
    return await new Promise((done) => canvas.toBlob((blob) => done(blob ?? file), "image/jpeg", QUALITY));
  } catch {
    return file;
  }
}

export class Photos {
  #path;
  #redraw;
  #sending = false;

  /**
   * Make the part of the page with the patient's photos.
   *
   * @param {string} path the path to which photos are sent
   * @param {() => void} redraw draws the page again
   */
  constructor(path, redraw) {
    this.#path = path;
    this.#redraw = redraw;
  }

  /**
   * Make a chosen photo small, show it, and send it if the patient agrees.
   *
   * @param {File} file the file that the person has chosen
   */
  async #add(file) {
    const picture = await small(file);
    const seen = URL.createObjectURL(picture);
    const given = await fillIn({
      title: t("Send this photo?"),
      text: t("The clinic’s staff who take care of you see it. Place, time and camera are not sent with it."),
      yes: t("Send photo"),
      no: t("Cancel"),
      fields: html`<img class="preview" src=${seen} alt="" />
        <div class="field">
          <label for="photo-text"
            >${t("What does it show?")} <span class="optional">${t("(optional)")}</span></label>
          <input class="input" id="photo-text" name="text" maxlength="200" autocomplete="off" />
        </div>`,
    });
    URL.revokeObjectURL(seen);
    if (!given) return;
    const form = new FormData();
    form.set("photo", picture, "photo");
    form.set("text", given.text);
    this.#sending = true;
    this.#redraw();
    if (await sendForm(this.#path, form)) announce(t("Your photo was sent."));
    this.#sending = false;
    this.#redraw();
  }

  /**
   * Draw the photos that were sent, and the button to send another.
   *
   * @param {Protocol.PhotoPart[]} photos the photos of the visit
   */
  view(photos) {
    const choose = (/** @type {On<HTMLInputElement>} */ { currentTarget: input }) => {
      const [file] = input.files ?? [];
      // The field is emptied, so that the browser reports it if the same file is chosen again.
      input.value = "";
      if (file) this.#add(file);
    };
    const full = photos.length >= MOST;
    return html`<section class="stack" aria-label=${t("Photos")} data-photos>
      <p class="small quiet">
        ${t("A photo can help: of what hurts, a rash, a medicine, a letter. Only the clinic’s staff see it.")}
      </p>
      ${photos.length ? photoList(photos, removePhoto) : nothing}
      ${
        full
          ? html`<p class="small quiet">${t("No more photos can be kept. Remove one to add another.")}</p>`
          : html`<label class="btn pick" aria-disabled=${this.#sending ? "true" : nothing}>
              <input class="sr" type="file" accept=${KINDS} ?disabled=${this.#sending} @change=${choose} />
              ${this.#sending ? t("Sending the photo…") : t("Add a photo")}
            </label>`
      }
    </section>`;
  }
}
