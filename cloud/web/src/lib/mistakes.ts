/** What a refusal says of single fields. */

import type { Problem } from "./api/client";

export interface Mistake {
  place: string;
  kind: string;
  value: string;
}

/** Refusals whose data name fields. */
const CODES = ["bad-policy", "invalid-request"];
const strings = (datum: unknown): string[] => (Array.isArray(datum) ? datum.map(String) : []);

/** Its fields. `within`: what the form's thing is called in the request; it is left out. */
export function mistakesOf(problem: Problem | null, within = ""): Mistake[] {
  if (!problem || !CODES.includes(problem.code)) return [];
  const [kinds, values] = [strings(problem.data["kinds"]), strings(problem.data["values"])];
  return strings(problem.data["places"]).map((place, index) => ({
    place: within && place.startsWith(`${within}.`) ? place.slice(within.length + 1) : place,
    kind: kinds[index] ?? "",
    value: values[index] ?? "",
  }));
}

/** Those of one field, and of what is inside it. */
export const of = (mistakes: readonly Mistake[], place: string): Mistake[] =>
  mistakes.filter((one) => one.place === place || one.place.startsWith(`${place}.`));
