/** Where relatives look after somebody. */

import type { DomainPage } from "../descriptor";
import FamilyPage from "./family/FamilyPage.svelte";
import { both } from "./speech";

export default {
  path: "family",
  label: both("nav.family"),
  icon: "family",
  roles: ["family"],
  component: FamilyPage,
} satisfies DomainPage;
