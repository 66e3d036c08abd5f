/** Gates of irrigation associations. */

import type { DomainDescriptor } from "../descriptor";
import "./colour.css";
import { both } from "./speech";

export default {
  key: "irrigation",
  rank: 35,
  title: both("domain.irrigation"),
  icon: {
    path: "M5 3.500v17M19 3.500v17M5 7.500h14M8 7.500v7h8v-7M3 18.500c2 1.300 4 1.300 6 0s4-1.300 6 0 4 1.300 6 0",
  },
  actors: ["irrigation", "inspector", "administrator"],
  parameters: {},
} satisfies DomainDescriptor;
