/** A file is taken as it was looked at, or not at all. */

import { beforeEach, expect, test, vi } from "vitest";

vi.mock("../src/lib/problem", () => ({ problemFrom: (error: unknown) => error }));

const { FileTaking } = await import("../src/lib/taking.svelte");

interface Sent {
  text: string;
  choice: string;
  dry_run: boolean;
}
interface Said {
  done: boolean;
  mistakes: { line: number; text: string }[];
  rows: number;
}

let sent: Sent[] = [];
let choice = "homes";
let taken: number[] = [];
let mistakes: Said["mistakes"] = [];
/** While the server is being asked. */
let meanwhile: () => void = () => undefined;

const chosen = (...names: string[]) =>
  names.map((name) => new File([name], name)) as unknown as FileList;

function taking() {
  return new FileTaking<Said, string>({
    choices: () => choice,
    ask: async (content, own, dry_run) => {
      sent.push({ text: await content.text(), choice: own, dry_run });
      meanwhile();
      return { done: !dry_run && mistakes.length === 0, mistakes, rows: 1 };
    },
    taken: ({ rows }) => void taken.push(rows),
  });
}

beforeEach(() => {
  [sent, taken, mistakes, choice, meanwhile] = [[], [], [], "homes", () => undefined];
});

test("it is looked at and then taken", async () => {
  const file = taking();
  await file.send();
  expect(sent).toEqual([]);
  file.files = chosen("a");
  await file.send();
  expect([file.ready, taken]).toEqual([true, []]);
  await file.send();
  expect(sent).toEqual([
    { text: "a", choice: "homes", dry_run: true },
    { text: "a", choice: "homes", dry_run: false },
  ]);
  expect([file.ready, file.said?.done, taken]).toEqual([false, true, [1]]);
});

test("another file that is chosen while the first is looked at was not looked at", async () => {
  const file = taking();
  file.files = chosen("a");
  meanwhile = () => (file.files = chosen("b"));
  await file.send();
  expect([file.ready, file.said]).toEqual([false, null]);
  meanwhile = () => undefined;
  await file.send();
  expect(sent.at(-1)).toEqual({ text: "b", choice: "homes", dry_run: true });
  expect(taken).toEqual([]);
});

test("with another choice beside it, it is looked at anew", async () => {
  const file = taking();
  file.files = chosen("a");
  await file.send();
  choice = "villages";
  expect([file.ready, file.said]).toEqual([false, null]);
  meanwhile = () => (choice = "homes");
  await file.send();
  expect(sent.at(-1)).toEqual({ text: "a", choice: "villages", dry_run: true });
  expect(file.ready).toBe(false);
});

test("one with mistakes is not taken, and one that was refused is looked at again", async () => {
  const file = taking();
  file.files = chosen("a");
  mistakes = [{ line: 2, text: "no name" }];
  await file.send();
  expect([file.ready, file.said?.mistakes.length]).toEqual([false, 1]);
  mistakes = [];
  meanwhile = () => {
    throw new Error("away");
  };
  await file.send();
  expect([file.ready, file.busy, file.problem]).toEqual([false, false, new Error("away")]);
  expect(sent.every((one) => one.dry_run)).toBe(true);
});
