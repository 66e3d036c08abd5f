/** The register of AEDs, and what a volunteer is called for. */

import type { DomainPage } from "../descriptor";
import aed from "./index";
import { both } from "./speech";

export default {
  path: "aed",
  label: both("nav.aed"),
  icon: aed.icon,
  roles: ["dispatcher", "police", "maintainer", "administrator", "volunteer"],
  load: () => import("./AedPage.svelte"),
} satisfies DomainPage;
