/** Where relatives look after somebody, where they join, who invites them, and hosts' stations. */

import type { DomainPage } from "../descriptor";
import checkin from "./index";
import { both } from "./speech";

export default [
  {
    path: "family",
    label: both("nav.family"),
    icon: "family",
    roles: ["family"],
    load: () => import("./family/FamilyPage.svelte"),
  },
  {
    path: "stations",
    label: both("nav.stations"),
    icon: checkin.icon,
    roles: ["host", "maintainer", "administrator"],
    load: () => import("./host/StationsPage.svelte"),
  },
  {
    path: "invitations",
    label: both("nav.invite"),
    icon: "person",
    roles: ["registrar", "administrator"],
    load: () => import("./join/InvitePage.svelte"),
  },
  {
    path: "join",
    label: both("join.title"),
    icon: "person",
    roles: [],
    open: true,
    load: () => import("./join/JoinPage.svelte"),
  },
] satisfies DomainPage[];
