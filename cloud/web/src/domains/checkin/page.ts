/** Where relatives look after somebody, where they join, who invites them, and hosts' stations. */

import type { DomainPage } from "../descriptor";
import FamilyPage from "./family/FamilyPage.svelte";
import StationsPage from "./host/StationsPage.svelte";
import checkin from "./index";
import InvitePage from "./join/InvitePage.svelte";
import JoinPage from "./join/JoinPage.svelte";
import { both } from "./speech";

export default [
  {
    path: "family",
    label: both("nav.family"),
    icon: "family",
    roles: ["family"],
    component: FamilyPage,
  },
  {
    path: "stations",
    label: both("nav.stations"),
    icon: checkin.icon,
    roles: ["host", "maintainer", "administrator"],
    component: StationsPage,
  },
  {
    path: "invitations",
    label: both("nav.invite"),
    icon: "person",
    roles: ["registrar", "administrator"],
    component: InvitePage,
  },
  {
    path: "join",
    label: both("join.title"),
    icon: "person",
    roles: [],
    open: true,
    component: JoinPage,
  },
] satisfies DomainPage[];
