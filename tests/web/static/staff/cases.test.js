import assert from "node:assert/strict";
import { test } from "node:test";
import { SignallingError } from "../../../../web/static/signalling/errors.js";
import { Cases } from "../../../../web/static/staff/cases.js";
import { StandIn } from "../stand_in.js";

test("Case Information that may not be seen any more is taken away at once", () => {
  const client = new StandIn();
  const cases = new Cases(
    client.asClient,
    () => {},
    () => {},
  );
  cases.open("v_1");
  client.push("case/v_1", { type: "case.state", case: { visit: "v_1", photos: [] } });
  assert.equal(cases.get("v_1")?.info?.visit, "v_1");
  client.refuse("case/v_1", new SignallingError("not_allowed", "no"));
  assert.equal(cases.get("v_1")?.info, undefined);
  assert.equal(cases.get("v_1")?.refused, "Case Information can be opened while you are on call.");
});

test("the cases of visits that are on the screen no more are not followed any longer", () => {
  const client = new StandIn();
  const cases = new Cases(
    client.asClient,
    () => {},
    () => {},
  );
  for (const visit of ["v_1", "v_2"]) cases.toggle(visit);
  cases.keepOnly(["v_2", undefined]);
  assert.deepEqual([cases.has("v_1"), client.holds("case/v_1")], [false, false]);
  assert.deepEqual([cases.has("v_2"), client.holds("case/v_2")], [true, true]);
  cases.toggle("v_2");
  assert.equal(client.holds("case/v_2"), false);
});

test("a photo that is added to an open case is announced once, an earlier or removed one is not", () => {
  const client = new StandIn();
  /** @type {number[]} */
  const told = [];
  const cases = new Cases(
    client.asClient,
    () => {},
    ({ photos }) => told.push(photos.length),
  );
  cases.open("v_1");
  for (const photos of [[1], [1], [1, 2], [1, 2], [2], [2, 3]])
    client.push("case/v_1", { type: "case.state", case: { visit: "v_1", photos } });
  assert.deepEqual(told, [2, 2]);
});
