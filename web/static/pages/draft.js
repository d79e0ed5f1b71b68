/* Restores the text that was typed into the patient information form, after a reload or a change of
   language. If the server has returned the form with its values because a value was wrong, those values are
   kept, and the draft is not used. */
import { draftOf, keepDraft } from "../shared/drafts.js";
import { here, one } from "../shared/page.js";
import "./form.js";

/** @typedef {HTMLInputElement | HTMLTextAreaElement | HTMLSelectElement} Field a field of the form */

const form = one("form[data-draft]", HTMLFormElement);
// The forms of Meet Now and of a booking share one draft in each organisation.
const organisation = location.pathname.slice(here("").length).split("/")[1];
const draft = draftOf(organisation, Date.now());

if (form.dataset.draft === "empty")
  for (const [name, value] of Object.entries(draft)) {
    const field = /** @type {Field | null} */ (form.elements.namedItem(name));
    if (!field || field.type === "hidden") continue;
    field.value = value;
    const details = field.closest("details");
    if (details && value) details.open = true;
  }

form.addEventListener("input", ({ target }) => {
  const { name, value } = /** @type {Field} */ (target);
  if (!name) return;
  draft[name] = value;
  keepDraft(organisation, draft, Date.now());
});
