import assert from "node:assert/strict";
import { test } from "node:test";
import { Chat, partsOf } from "../../../../web/static/shared/chat.js";
import { StandIn } from "../stand_in.js";

const line = (/** @type {string} */ id, party = "provider") => ({
  id,
  party,
  name: party,
  text: id,
  at_ms: 1,
});

function opened() {
  const client = new StandIn();
  /** @type {unknown[]} for each change, the id of the new message of another person, or null */
  const told = [];
  const chat = new Chat(client.asClient, "v_1", "patient", (news) => told.push(news?.id ?? null));
  chat.start();
  const push = (/** @type {object} */ message) => client.push("chat/v_1", message);
  return { client, chat, told, push };
}

test("a line of somebody else is unread until it is looked at, one's own never", () => {
  const { chat, told, push } = opened();
  push({ type: "chat.snapshot", lines: [line("l_1")] });
  assert.equal(chat.unread, 0);
  push({ type: "chat.line", line: line("l_2") });
  push({ type: "chat.line", line: line("l_3", "patient") });
  assert.equal(chat.unread, 1);
  assert.deepEqual(told, [null, "l_2", null]);
  chat.look(true);
  push({ type: "chat.line", line: line("l_4") });
  assert.equal(chat.unread, 0);
});

test("what was written while the connection was lost is unread too", () => {
  const { chat, push } = opened();
  push({ type: "chat.snapshot", lines: [line("l_1")] });
  push({ type: "chat.snapshot", lines: [line("l_1"), line("l_2"), line("l_3", "patient"), line("l_4")] });
  assert.equal(chat.unread, 2);
  assert.equal(chat.lines.length, 4);
});

test("a chat that stops ends its subscription, and may start again", () => {
  const { client, chat } = opened();
  chat.stop();
  assert.equal(client.holds("chat/v_1"), false);
  chat.start();
  chat.start();
  assert.equal(client.holds("chat/v_1"), true);
});

test("f29 web addresses in a message are links, and nothing else is", () => {
  assert.deepEqual(partsOf("See https://x.example/a?b=1, then (http://y.example)."), [
    "See ",
    { href: "https://x.example/a?b=1" },
    ", then (",
    { href: "http://y.example" },
    ").",
  ]);
  assert.deepEqual(partsOf("javascript:alert(1) ftp://x www.x.example"), [
    "javascript:alert(1) ftp://x www.x.example",
  ]);
});

test("f19 of staff who share a key, one's own lines are those with one's own name", () => {
  const chat = new Chat(new StandIn().asClient, "v_1", "staff", () => {}, "Dr Osei");
  assert.equal(chat.isMine({ ...line("l_1", "staff"), name: "Dr Osei" }), true);
  assert.equal(chat.isMine({ ...line("l_1", "staff"), name: "Dr Lind" }), false);
});
