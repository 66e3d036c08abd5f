/** The register of waterways, and the form for inspectors on site. */

import type { DomainPage } from "../descriptor";
import water from "./index";
import SitePage from "./site/SitePage.svelte";
import { both } from "./speech";
import WaterwaysPage from "./WaterwaysPage.svelte";

export default [
  {
    path: "site",
    label: both("nav.site"),
    icon: "pin",
    roles: ["inspector"],
    component: SitePage,
    offline: true,
  },
  {
    path: "waterways",
    label: both("nav.waterways"),
    icon: water.icon,
    roles: ["inspector", "administrator"],
    component: WaterwaysPage,
  },
] satisfies DomainPage[];
