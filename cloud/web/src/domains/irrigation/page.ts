/** What an irrigation association is told: which gate to close, and when it may open. */

import type { DomainPage } from "../descriptor";
import irrigation from "./index";
import { both } from "./speech";

export default {
  path: "gates",
  label: both("nav.gates"),
  icon: irrigation.icon,
  roles: ["irrigation"],
  load: () => import("./GatesPage.svelte"),
} satisfies DomainPage;
