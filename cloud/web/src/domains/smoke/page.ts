/** Fires, for whoever leads; and the programme of alarms, for the office and whoever fits them. */

import type { DomainPage } from "../descriptor";
import smoke from "./index";
import { both } from "./speech";

export default [
  {
    path: "fire",
    label: both("nav.fire"),
    icon: smoke.icon,
    roles: ["dispatcher", "administrator"],
    load: () => import("./FirePage.svelte"),
  },
  {
    path: "programme",
    label: both("nav.programme"),
    icon: smoke.icon,
    roles: ["dispatcher", "maintainer", "administrator", "registrar"],
    load: () => import("./programme/ProgrammePage.svelte"),
  },
] satisfies DomainPage[];
