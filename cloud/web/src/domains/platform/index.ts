/** The platform itself: what an operator must mend. */

import type { DomainDescriptor } from "../descriptor";
import "./colour.css";
import { both, keysOf } from "./speech";

export default {
  key: "platform",
  rank: 90,
  title: both("domain.platform"),
  icon: {
    path: "M4 5h16v6H4V5ZM4 14h16v5H4v-5ZM7.500 8h.01M7.500 16.500h.01M11 8h5.500M11 16.500h5.500",
  },
  actors: ["maintainer", "administrator"],
  parameters: keysOf("param"),
} satisfies DomainDescriptor;
