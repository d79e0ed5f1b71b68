/* Chooses the steps of a setup guide that are asked, according to the answers so far. The server has the
   same rule (signalling/visit/setup_guide.py, `visible`). Pure. */

/**
 * Return the steps that are asked, in order. `answer(id)` returns the answer to a step, or undefined.
 *
 * @template {Pick<Protocol.Step, "id" | "only_if">} Step
 * @param {Step[]} steps
 * @param {(id: string) => unknown} answer
 */
export function visibleSteps(steps, answer) {
  const asked = new Set();
  return steps.filter(({ id, only_if: on }) => {
    const shown = !on || (asked.has(on.step) && answer(on.step) === on.answer);
    if (shown) asked.add(id);
    return shown;
  });
}
