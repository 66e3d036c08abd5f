/** The queue of reviewers; figures of the service, and the register that measurements are judged
 * by. */

import type { DomainPage } from "../descriptor";
import noise from "./index";
import { both } from "./speech";

export default [
  {
    path: "noise-review",
    label: both("nav.review"),
    icon: "eye",
    roles: ["reviewer"],
    load: () => import("./review/ReviewPage.svelte"),
  },
  {
    path: "noise",
    label: both("nav.noise"),
    icon: noise.icon,
    roles: ["inspector", "reviewer", "maintainer", "administrator"],
    load: () => import("./NoisePage.svelte"),
  },
] satisfies readonly DomainPage[];
