/* Makes the button work that prints the poster. Without JavaScript, people print by the browser's own
   menu. */
import { one } from "../shared/page.js";

const button = one("#print", HTMLButtonElement);
button.hidden = false;
button.addEventListener("click", () => print());
