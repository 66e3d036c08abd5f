/** Somebody is missing, and is searched for. */

import type { DomainDescriptor } from "../descriptor";
import "./colour.css";
import { both } from "./speech";

export default {
  key: "search",
  rank: 15,
  title: both("domain.search"),
  icon: {
    path: "M10.500 4a6.500 6.500 0 1 0 0 13 6.500 6.500 0 0 0 0-13ZM15.300 15.300l5.200 5.200M10.500 7.300a1.600 1.600 0 1 0 0 3.200 1.600 1.600 0 0 0 0-3.200ZM7.500 13.500c.6-1.500 1.700-2.200 3-2.200s2.400.7 3 2.200",
  },
  actors: ["police", "family"],
  parameters: {},
} satisfies DomainDescriptor;
