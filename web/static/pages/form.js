/* Small improvements of the server-rendered forms: a form is sent only once, and after an error the focus
   is on the first wrong field. A button or link shows its text `data-busy` after it was pressed, until the
   next page comes. A form with `data-onward` is sent at once. The forms work without this script. */

/** @type {HTMLElement | null} the list of errors above the form; null if there are none */
const errors = document.querySelector("#errors");
errors?.focus();

for (const form of document.querySelectorAll("form[data-once]")) {
  /** @type {HTMLButtonElement | null} the button that shows that the form is being sent */
  const button = form.querySelector("button[data-busy]");
  const label = button?.textContent ?? "";
  let sent = false;
  form.addEventListener("submit", (event) => {
    if (sent) return event.preventDefault();
    sent = true;
    button?.setAttribute("aria-disabled", "true");
    if (button) button.textContent = button.dataset.busy ?? label;
  });
  addEventListener("pageshow", () => {
    // The person came back with the browser's Back button. The form can be sent again.
    sent = false;
    button?.removeAttribute("aria-disabled");
    if (button) button.textContent = label;
  });
}

/** @type {HTMLFormElement | null} a form that continues work which takes more than one request */
const onward = document.querySelector("form[data-onward]");
onward?.requestSubmit(onward.querySelector("button"));

/** @type {NodeListOf<HTMLAnchorElement>} the links whose pages take the server a while */
const slow = document.querySelectorAll("a[data-busy]");
for (const link of slow) {
  const label = link.textContent;
  link.addEventListener("click", ({ ctrlKey, metaKey, shiftKey }) => {
    // With one of these keys, the page opens in another tab or window.
    if (!ctrlKey && !metaKey && !shiftKey) link.textContent = link.dataset.busy ?? label;
  });
  addEventListener("pageshow", () => {
    link.textContent = label;
  });
}
