import { expect, it } from "vitest";
import { trouble } from "../src/domains/aed/told";

const key = (one: string) => `<${one}>`;

it.each([
  ["", ""],
  ["sent", ""],
  ["failed: 503 at the hook", "<aed.told.failed> 503 at the hook"],
  ["given up after 9 tries: 503", "<aed.told.givenUp> 503"],
  ["no channel of their own: the page alone", "<aed.told.noChannel>"],
  [
    "not told: it could not be sent within 15 min",
    "<aed.told.notTold> it could not be sent within 15 min",
  ],
  ["anything else", "anything else"],
])("%j is said as %j", (words, said) => {
  expect(trouble(words, key)).toBe(said);
});
