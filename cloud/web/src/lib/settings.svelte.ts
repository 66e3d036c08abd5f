/** What whoever runs the city has set for the screen. Asked once, before the first map. */

import { answer, api } from "./api/client";
import type { Tiles } from "./map/style";

class Settings {
  /** Raster tiles under the map; without them the own base is drawn. */
  tiles: Tiles | null = $state(null);
  #asked: Promise<void> | null = null;

  /** Resolves when the settings are here, or cannot be had for now. */
  load(): Promise<void> {
    this.#asked ??= this.#ask();
    return this.#asked;
  }

  async #ask(): Promise<void> {
    try {
      this.tiles = (await answer(api.GET("/api/v1/screen"))).tiles;
    } catch {
      this.#asked = null; // The own base needs no setting; the next map asks again.
    }
  }
}

export const settings = new Settings();
