/** What whoever runs the city has set for the screen. Asked once, after sign-in. */

import { answer, api } from "./api/client";
import type { Tiles } from "./map/style";

class Settings {
  /** Raster tiles under the map; without them the own base is drawn. */
  tiles: Tiles | null = $state(null);
  #asked = false;

  async load(): Promise<void> {
    if (this.#asked) return;
    this.#asked = true;
    try {
      this.tiles = (await answer(api.GET("/api/v1/screen"))).tiles;
    } catch {
      // The own base needs no setting.
    }
  }
}

export const settings = new Settings();
