/** What a domain adds to the page of its devices: every `DeviceCard.svelte` beside this file. */

import type { Component } from "svelte";

export type DeviceCard = Component<{ device: string }>;

const devices = import.meta.glob<{ default: DeviceCard }>("./*/DeviceCard.svelte", { eager: true });

export const deviceCardOf = (domain: string): DeviceCard | undefined =>
  devices[`./${domain}/DeviceCard.svelte`]?.default;
