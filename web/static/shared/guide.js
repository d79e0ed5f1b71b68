/* Chooses which steps of a setup guide the patient is asked, according to the answers so far. On the server,
   `visible` in signalling/visit/setup_guide.py has the same rule. The result depends only on the
   arguments. */

/**
 * Return the steps that the patient is asked, in order.
 *
 * @template {Pick<Protocol.Step, "id" | "only_if">} Step
 * @param {Step[]} steps all steps of the guide
 * @param {(id: string) => unknown} answer returns the answer to the step with this id, or undefined
 */
export function visibleSteps(steps, answer) {
  const asked = new Set();
  return steps.filter(({ id, only_if: on }) => {
    const shown = !on || (asked.has(on.step) && answer(on.step) === on.answer);
    if (shown) asked.add(id);
    return shown;
  });
}
