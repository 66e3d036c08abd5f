/** What domains add to the page of somebody who is looked after: every `FamilyCard.svelte` beside
 * this file. A module of its own, as each kind of part is: a page fetches no other page's. */

import type { Component } from "svelte";

export type FamilyCard = Component<{ person: string; guardian: boolean }>;

const cards = import.meta.glob<{ default: FamilyCard }>("./*/FamilyCard.svelte", { eager: true });

export const familyCards: readonly FamilyCard[] = Object.values(cards).map((one) => one.default);
