/* Asks for confirmation in the staff's forms: before an action that cannot be undone or that other people
   notice (`data-ask` on the button), and before a page with unsaved changes is left. The forms also work
   without this script. */

import { t } from "../shared/text.js";
import { ask } from "../shared/ui.js";

/** @typedef {HTMLInputElement | HTMLSelectElement | HTMLTextAreaElement} Control a field of a form */

/** @type {HTMLElement | null} the button whose question was answered with yes */
let agreed = null;

/**
 * Ask the question of the pressed button before its form is sent; send the form after the answer yes.
 *
 * @param {SubmitEvent} event the submission of the form
 */
async function question(event) {
  const { submitter: button, target: form } = event;
  if (!(button instanceof HTMLButtonElement) || !(form instanceof HTMLFormElement)) return;
  const { ask: title, askText: text = "", askYes: yes = t("Yes") } = button.dataset;
  if (!title || agreed === button) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  if (!(await ask({ title, text, yes, no: t("Cancel"), danger: true }))) return;
  agreed = button;
  form.requestSubmit(button);
  agreed = null;
}
document.addEventListener("submit", question, { capture: true });

/** Return true if a field's content differs from the server's value. */
const isChanged = (/** @type {Control} */ field) => {
  if (field instanceof HTMLSelectElement) {
    const given = [...field.options].findIndex(({ defaultSelected }) => defaultSelected);
    return field.selectedIndex !== Math.max(given, 0);
  }
  if (field instanceof HTMLInputElement && ["checkbox", "radio"].includes(field.type))
    return field.checked !== field.defaultChecked;
  return field.value !== field.defaultValue;
};

/**
 * Return true if a form has changes that are not saved.
 *
 * @param {HTMLFormElement} form the form
 */
const isUnsaved = (form) =>
  form.dataset.keep === "unsaved" ||
  [.../** @type {Iterable<Control>} */ (form.elements)].some(
    (field) =>
      field.matches("input, select, textarea") && field.name && field.type !== "hidden" && isChanged(field),
  );

/**
 * @type {EventTarget | null} the form that is being sent: when the person leaves the page, no question
 *   about unsaved changes of this form is asked. After a press of a link with `data-drop` the value is the
 *   document: no question is asked about any form, and all changes are lost
 */
let sent = null;
document.addEventListener("submit", (event) => {
  if (!event.defaultPrevented) sent = event.target;
});
document.addEventListener("click", ({ target }) => {
  if (target instanceof Element && target.closest("[data-drop]")) sent = document;
});
addEventListener("pageshow", () => {
  sent = null;
});
addEventListener("beforeunload", (event) => {
  /** @type {NodeListOf<HTMLFormElement>} the forms that ask before unsaved changes are lost */
  const forms = document.querySelectorAll("form[data-keep]");
  if (sent !== document && [...forms].some((form) => form !== sent && isUnsaved(form)))
    event.preventDefault();
});
