/** What is typed outlives its form, for who typed it and for nobody else. */

import { beforeEach, expect, test } from "vitest";
import { asked, remember } from "../src/alerts/question";
import { draft } from "../src/lib/drafts.svelte";
import { forgetting } from "../src/lib/live/forgetting.svelte";

const form = (name = "missing/1") =>
  draft(name, () => ({ clothes: "", files: null as object | null }));

beforeEach(() => forgetting.left());

test("a form that comes back has what was typed", () => {
  const file = new File(["picture"], "p.jpg");
  form().value.clothes = "a red jacket";
  form().value.files = file;
  expect(form().value).toEqual({ clothes: "a red jacket", files: file });
  forgetting.everywhere(); // rights have changed: what was fetched is forgotten, not what was typed
  expect(form().value.clothes).toBe("a red jacket");
  expect(form("missing/2").value.clothes).toBe("");
});

test("what was sent is not there again", () => {
  form().value.clothes = "a red jacket";
  form().clear();
  expect(form().value.clothes).toBe("");
});

test("whoever comes after them at the same screen does not see it, nor do they themselves", () => {
  const before = form();
  before.value.clothes = "a red jacket";
  remember({ text: "Lin", from: "", to: "" });
  forgetting.left();
  expect(form()).not.toBe(before);
  expect(form().value.clothes).toBe("");
  expect(asked().text).toBe("");
});
