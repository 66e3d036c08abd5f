/** The queue of reviewers; figures of the service, and the register that measurements are judged
 * by. */

import type { DomainPage } from "../descriptor";
import noise from "./index";
import NoisePage from "./NoisePage.svelte";
import ReviewPage from "./review/ReviewPage.svelte";
import { both } from "./speech";

export default [
  {
    path: "noise-review",
    label: both("nav.review"),
    icon: "eye",
    roles: ["reviewer"],
    component: ReviewPage,
  },
  {
    path: "noise",
    label: both("nav.noise"),
    icon: noise.icon,
    roles: ["inspector", "reviewer", "maintainer", "administrator"],
    component: NoisePage,
  },
] satisfies readonly DomainPage[];
