/** What is typed outlives its form, for who typed it and for nobody else. */

import { expect, test, vi } from "vitest";

const session: { account: { username: string } | null } = { account: { username: "daughter" } };
vi.mock("../src/lib/session.svelte", () => ({ session }));

const { draft } = await import("../src/lib/drafts.svelte");

const form = (name = "missing/1") =>
  draft(name, () => ({ clothes: "", files: null as object | null }));

test("a form that comes back has what was typed", () => {
  const file = new File(["picture"], "p.jpg");
  form().value.clothes = "a red jacket";
  form().value.files = file;
  session.account = null; // while rights change, or without a network, nobody else has signed in
  expect(form().value).toEqual({ clothes: "a red jacket", files: file });
  session.account = { username: "daughter" };
  expect(form().value.clothes).toBe("a red jacket");
  expect(form("missing/2").value.clothes).toBe("");
});

test("what was sent is not there again", () => {
  form().value.clothes = "a red jacket";
  form().clear();
  expect(form().value.clothes).toBe("");
});

test("another account at the same screen does not see it", () => {
  form().value.clothes = "a red jacket";
  session.account = { username: "neighbour" };
  expect(form().value.clothes).toBe("");
  session.account = { username: "daughter" };
  expect(form().value.clothes).toBe("");
});
