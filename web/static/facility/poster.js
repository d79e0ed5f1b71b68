/* Prints the poster when its button is pressed. Without JavaScript, people print by the browser's own
   menu. */
import { one } from "../shared/page.js";

const button = one("#print", HTMLButtonElement);
button.hidden = false;
button.addEventListener("click", () => print());
