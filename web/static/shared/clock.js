/* Defines two elements that show how long something lasts: <wait-clock since amber red> and <since-clock
   since>. One timer updates all of them, by the server's clock. Each element writes its own text, so that
   the page is not drawn again each second. */
import { duration } from "./format.js";

let now = () => Date.now();
/** @type {Set<SinceClock>} the elements on the page, which the timer updates */
const ticking = new Set();
let timer = 0;

/**
 * Set the clock from which all elements <wait-clock> and <since-clock> of this page take the time.
 *
 * @param {() => number} clock returns the server's time in ms since 1970
 */
export function tickBy(clock) {
  now = clock;
}

function tick() {
  for (const element of ticking) element.tick();
}

class SinceClock extends HTMLElement {
  static observedAttributes = ["since"];

  connectedCallback() {
    this.classList.add("num");
    this.translate = false;
    ticking.add(this);
    if (!timer) timer = setInterval(tick, 1000);
    this.tick();
  }

  disconnectedCallback() {
    ticking.delete(this);
    if (ticking.size) return;
    clearInterval(timer);
    timer = 0;
  }

  attributeChangedCallback() {
    if (this.isConnected) this.tick();
  }

  get elapsed_ms() {
    return now() - Number(this.getAttribute("since"));
  }

  tick() {
    const text = duration(this.elapsed_ms);
    if (this.textContent !== text) this.replaceChildren(text);
  }
}

/**
 * Shows a wait, and changes words and colour when the wait exceeds one of the organisation's two limits,
 * which are the attributes `amber` and `red`.
 */
class WaitClock extends SinceClock {
  static observedAttributes = ["since", "amber", "red"];

  tick() {
    super.tick();
    const waited = this.elapsed_ms;
    const level =
      ["red", "amber"].find((name) => waited >= Number(this.getAttribute(name) ?? Infinity)) ?? "calm";
    if (this.dataset.level !== level) this.dataset.level = level;
  }
}

customElements.define("since-clock", SinceClock);
customElements.define("wait-clock", WaitClock);
