/* After a reload or a change of language, restores what was typed into the patient information form. If
   the server sent the page with values, after a mistake, these are kept. */
import { draftOf, keepDraft } from "../shared/drafts.js";
import { here, one } from "../shared/page.js";
import "./form.js";

/** @typedef {HTMLInputElement | HTMLTextAreaElement | HTMLSelectElement} Field */

const form = one("form[data-draft]", HTMLFormElement);
// Meet Now and a booking share one draft.
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
