/* Sends this person's claims of visits. Records which claims have no answer yet, and which were refused
   because the servers were full (no place for another call). */
import { stateName } from "../shared/format.js";
import { refusalWords } from "../shared/refusals.js";
import { t } from "../shared/text.js";
import { ask, toast } from "../shared/ui.js";
import { codeOf, detailsOf } from "../signalling/errors.js";
import { isLicensed } from "./licences.js";

const FULL_MS = 30_000;

export class Claims {
  #client;
  #me;
  #claimed;
  #redraw;
  /** @type {Set<string>} the visits whose claim has no answer yet */
  #open = new Set();
  /** @type {Set<string>} visits whose claim was refused in the last FULL_MS: no place for another call */
  #full = new Set();

  /**
   * Prepare the claims of this page; no claim has been sent yet.
   *
   * @param {object} parts
   * @param {import("../signalling.js").SignallingClient} parts.client the connection to the server
   * @param {Account} parts.me the person who claims
   * @param {(visit: string) => void} parts.claimed is called after a claim that succeeded
   * @param {() => void} parts.redraw is called after each change
   */
  constructor({ client, me, claimed, redraw }) {
    this.#client = client;
    this.#me = me;
    this.#claimed = claimed;
    this.#redraw = redraw;
  }

  /** Return whether the claim of a visit has no answer yet. */
  isOpen(/** @type {string} */ visit) {
    return this.#open.has(visit);
  }

  /** Return whether a claim of this visit was refused in the last FULL_MS: no place for another call. */
  foundNoPlace(/** @type {string} */ visit) {
    return this.#full.has(visit);
  }

  /** Claim a request. If the person is not licensed for the patient's region, ask for confirmation first. */
  async claim(/** @type {QueuedRow} */ request) {
    if (
      !isLicensed(this.#me, request) &&
      !(await ask({
        title: t("Claim {name} all the same?", { name: request.name }),
        yes: t("Claim"),
        no: t("Cancel"),
        text: t("You are not licensed in {state}, where the patient is now.", {
          state: stateName(request.state),
        }),
      }))
    )
      return;
    this.#open.add(request.visit);
    this.#full.delete(request.visit);
    this.#redraw();
    try {
      await this.#client.request({ type: "visit.claim", visit: request.visit });
      this.#claimed(request.visit);
    } catch (error) {
      const by = codeOf(error) === "already_claimed" ? detailsOf(error).by : undefined;
      if (codeOf(error) === "at_capacity") this.#showFull(request.visit);
      if (by?.id === this.#me.id) this.#claimed(request.visit);
      else
        toast(by ? t("{by} has claimed {name}.", { by: by.name, name: request.name }) : refusalWords(error), {
          bad: true,
        });
    } finally {
      this.#open.delete(request.visit);
      this.#redraw();
    }
  }

  /** Show in the row of a visit, for FULL_MS, that the servers have no place for another call. */
  #showFull(/** @type {string} */ visit) {
    this.#full.add(visit);
    setTimeout(() => {
      this.#full.delete(visit);
      this.#redraw();
    }, FULL_MS);
  }
}
