/** What whoever runs the city has set for the screen, and what the server says of its domains.
 * Asked once for each account. */

import { answer, api } from "./api/client";
import type { ScreenDomain } from "./api/model";
import type { Streets } from "./map/streets";
import type { Tiles } from "./map/style";

class Settings {
  /** Raster tiles under the map; without them the own base is drawn. */
  tiles: Tiles | null = $state(null);
  /** The city's own streets; without them the borders of villages are drawn. */
  streets: Streets | null = $state.raw(null);
  /** Domains that the reader may see something of. */
  domains: readonly ScreenDomain[] = $state.raw([]);
  /** They are here. */
  known = $state(false);
  #asked: Promise<void> | null = null;

  /** Resolves when the settings are here, or cannot be had for now. */
  load(): Promise<void> {
    this.#asked ??= this.#ask();
    return this.#asked;
  }

  /** Another account comes. */
  forget(): void {
    this.domains = [];
    this.known = false;
    this.#asked = null;
  }

  async #ask(): Promise<void> {
    try {
      const said = await answer(api.GET("/api/v1/screen"));
      this.tiles = said.tiles;
      // The client forgets that a list has four entries; the server does not.
      this.streets = said.streets && {
        ...said.streets,
        bounds: said.streets.bounds as Streets["bounds"],
      };
      this.domains = said.domains;
      this.known = true;
    } catch {
      this.#asked = null; // The own base needs no setting; the next map asks again.
    }
  }
}

export const settings = new Settings();
