/** Water in canals and pipes. */

import type { DomainDescriptor } from "../descriptor";
import "./colour.css";
import { both, keysOf } from "./speech";

export default {
  key: "water",
  rank: 30,
  title: both("domain.water"),
  icon: {
    path: "M12 3.500s6 6.300 6 10.700a6 6 0 0 1-12 0c0-4.400 6-10.700 6-10.700ZM9 14.500a3 3 0 0 0 3 3",
  },
  actors: ["inspector", "reviewer", "police", "administrator"],
  parameters: keysOf("param"),
} satisfies DomainDescriptor;
