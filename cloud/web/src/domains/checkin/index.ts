/** Where somebody who is looked after has been. */

import type { DomainDescriptor } from "../descriptor";
import "./colour.css";
import { both, keysOf } from "./speech";

export default {
  key: "checkin",
  rank: 40,
  title: both("domain.checkin"),
  icon: {
    path: "M12 21s6.500-6.100 6.500-11a6.500 6.500 0 0 0-13 0c0 4.900 6.500 11 6.500 11ZM9.300 10l2 2 3.500-3.800",
  },
  actors: ["family", "host"],
  parameters: keysOf("param"),
} satisfies DomainDescriptor;
