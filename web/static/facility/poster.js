/* The button that prints; without JavaScript, the browser's own menu does. */
import { one } from "../shared/page.js";

const button = one("#print", HTMLButtonElement);
button.hidden = false;
button.addEventListener("click", () => print());
