import assert from "node:assert/strict";
import { test } from "node:test";
import { contactNote, contactWords } from "../../../../web/static/shared/contacts.js";
import { clock } from "../../../../web/static/shared/format.js";

test("f11: staff read when a message to an absent patient went out, or that it did not", () => {
  const at_ms = 1_790_000_000_000;
  assert.equal(contactWords({ channel: "mail", state: "sent", at_ms }), `Email sent at ${clock(at_ms)}`);
  assert.equal(
    contactWords({ channel: "text", state: "failed", at_ms }),
    "The text message could not be sent",
  );
  assert.equal(contactNote("push retried", at_ms), "The notification has not left yet; it is tried again");
  assert.equal(contactNote("pigeon lost", at_ms), "pigeon lost");
});
