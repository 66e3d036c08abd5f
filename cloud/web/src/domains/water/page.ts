/** The register of waterways, and the form for inspectors on site. */

import type { DomainPage } from "../descriptor";
import water from "./index";
import { both } from "./speech";

export default [
  {
    path: "site",
    label: both("nav.site"),
    icon: "pin",
    roles: ["inspector"],
    load: () => import("./site/SitePage.svelte"),
    offline: true,
  },
  {
    path: "waterways",
    label: both("nav.waterways"),
    icon: water.icon,
    roles: ["inspector", "administrator"],
    load: () => import("./WaterwaysPage.svelte"),
  },
] satisfies DomainPage[];
