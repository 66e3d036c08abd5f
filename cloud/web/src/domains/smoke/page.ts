/** Fires, for whoever leads: what waits, and one fire with all that firefighters have to know. */

import type { DomainPage } from "../descriptor";
import smoke from "./index";
import { both } from "./speech";

export default {
  path: "fire",
  label: both("nav.fire"),
  icon: smoke.icon,
  roles: ["dispatcher", "administrator"],
  load: () => import("./FirePage.svelte"),
} satisfies DomainPage;
