/** Parts that a domain adds to pages of others: every `FamilyCard.svelte` (on the page of somebody
 * who is looked after), `HomeCard.svelte` (on the page of a home, first), `DeviceCard.svelte` (on
 * the page of its devices) and `CasePart.svelte` (on the page of its cases) beside this file. */

import type { Case, Home } from "../lib/api/model";
import type { Component } from "svelte";

type Act = Case["may"][number];
export type FamilyCard = Component<{ person: string; guardian: boolean }>;
export type HomeCard = Component<{ home: Home }>;
export type DeviceCard = Component<{ device: string }>;
export type CasePart = Component<{ one: Case; done: (changed: Case) => void; changed: () => void }>;

const cards = import.meta.glob<{ default: FamilyCard }>("./*/FamilyCard.svelte", { eager: true });
const homes = import.meta.glob<{ default: HomeCard }>("./*/HomeCard.svelte", { eager: true });
const devices = import.meta.glob<{ default: DeviceCard }>("./*/DeviceCard.svelte", { eager: true });
const parts = import.meta.glob<{ default: CasePart; acts?: readonly Act[] }>(
  "./*/CasePart.svelte",
  { eager: true },
);

export const familyCards: readonly FamilyCard[] = Object.values(cards).map((one) => one.default);

export const homeCards: readonly HomeCard[] = Object.values(homes).map((one) => one.default);

export const deviceCardOf = (domain: string): DeviceCard | undefined =>
  devices[`./${domain}/DeviceCard.svelte`]?.default;

export const casePartOf = (domain: string): CasePart | undefined =>
  parts[`./${domain}/CasePart.svelte`]?.default;

/** Acts for which the domain's part has a form of its own. */
export const actsOf = (domain: string): readonly Act[] =>
  parts[`./${domain}/CasePart.svelte`]?.acts ?? [];
