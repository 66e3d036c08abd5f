/** What domains add to the page of a home, first: every `HomeCard.svelte` beside this file. */

import type { Component } from "svelte";
import type { Home } from "../lib/api/model";

export type HomeCard = Component<{ home: Home }>;

const homes = import.meta.glob<{ default: HomeCard }>("./*/HomeCard.svelte", { eager: true });

const noHome = import.meta.glob<{ default: Component }>("./*/NoHomeCard.svelte", { eager: true });

/** What they show to whoever belongs to no home: every `NoHomeCard.svelte` beside this file. */
export const noHomeCards: readonly Component[] = Object.values(noHome).map((one) => one.default);

export const homeCards: readonly HomeCard[] = Object.values(homes).map((one) => one.default);
