/** What a consent may open. */

import type { Scope } from "./api/model";

/** In the order in which they are said. */
export const SCOPES: readonly Scope[] = ["last_place", "footprint", "live", "alerts"];
