/** What a domain adds to the page of its cases: every `CasePart.svelte` beside this file. */

import type { Component } from "svelte";
import type { Case } from "../lib/api/model";

type Act = Case["may"][number];
export type CasePart = Component<{ one: Case; done: (changed: Case) => void; changed: () => void }>;

const parts = import.meta.glob<{ default: CasePart; acts?: readonly Act[] }>(
  "./*/CasePart.svelte",
  { eager: true },
);

export const casePartOf = (domain: string): CasePart | undefined =>
  parts[`./${domain}/CasePart.svelte`]?.default;

/** Acts for which the domain's part has a form of its own. */
export const actsOf = (domain: string): readonly Act[] =>
  parts[`./${domain}/CasePart.svelte`]?.acts ?? [];
