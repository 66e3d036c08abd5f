/** What domains add to the page of a home, first: every `HomeCard.svelte` beside this file. */

import type { Component } from "svelte";
import type { Home } from "../lib/api/model";

export type HomeCard = Component<{ home: Home }>;

const homes = import.meta.glob<{ default: HomeCard }>("./*/HomeCard.svelte", { eager: true });

export const homeCards: readonly HomeCard[] = Object.values(homes).map((one) => one.default);
