/** What did not come, by name, until the city is asked anew.
 *
 * A picture fails as the network does. When the stream is back, what failed before is asked for
 * once more; without that it would be missing for as long as the page stands. */

import { SvelteMap } from "svelte/reactivity";
import { city } from "./live/city.svelte";

export class Lost {
  readonly #at = new SvelteMap<string, number>();

  add(name: string): void {
    this.#at.set(name, city.renewed);
  }

  has(name: string): boolean {
    return this.#at.get(name) === city.renewed;
  }
}
