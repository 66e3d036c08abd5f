/** The register of AEDs, and what a volunteer is called for. */

import type { DomainPage } from "../descriptor";
import AedPage from "./AedPage.svelte";
import aed from "./index";
import { both } from "./speech";

export default {
  path: "aed",
  label: both("nav.aed"),
  icon: aed.icon,
  roles: ["dispatcher", "police", "maintainer", "administrator", "volunteer"],
  component: AedPage,
} satisfies DomainPage;
