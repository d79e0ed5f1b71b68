/* Draws the tags of a visit. Asks in a dialog which of the clinic's tags the visit gets. */
import { html, nothing } from "../shared/lit.js";
import { t } from "../shared/text.js";
import { fillIn } from "../shared/ui.js";

/**
 * Draw the tags, and a button to change them. Draw nothing if there are neither tags nor a button.
 *
 * @param {string[]} tags the tags of the visit
 * @param {(() => void) | null} change is called by the button; null if this person may not change the tags
 * @param {string} name the patient's name, for people who use a screen reader
 */
export function tagLine(tags, change, name) {
  if (!tags.length && !change) return nothing;
  return html`<div class="row tags">
    ${tags.map((tag) => html`<span class="chip off">${tag}</span>`)}
    ${
      change
        ? html`<button type="button" class="btn plain" @click=${change}>
            ${t("Tags…")}<span class="sr"> ${name}</span>
          </button>`
        : nothing
    }
  </div>`;
}

/**
 * Ask for the tags of a visit in a dialog. Return the chosen tags, or null if the dialog was closed.
 *
 * @param {string} name the patient's name
 * @param {string[]} tags the tags that the visit has
 * @param {string[]} offered the tags of the clinic
 */
export async function askTags(name, tags, offered) {
  const all = [...new Set([...offered, ...tags])];
  const given = await fillIn({
    title: t("Tags of {name}", { name }),
    text: t("Staff find sessions by them. The patient does not see them."),
    yes: t("Save"),
    no: t("Cancel"),
    fields: html`<fieldset class="choices">
      <legend class="sr">${t("Tags")}</legend>
      ${all.map(
        (tag, index) =>
          html`<label class="choice"
            ><input type="checkbox" name=${`tag-${index}`} ?checked=${tags.includes(tag)} /><span
              >${tag}</span></label>`,
      )}
    </fieldset>`,
  });
  return given && all.filter((_, index) => given[`tag-${index}`]);
}
