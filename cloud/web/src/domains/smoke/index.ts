/** Smoke alarms in homes. */

import type { DomainDescriptor } from "../descriptor";
import "./colour.css";
import { both, keysOf } from "./speech";

export default {
  key: "smoke",
  rank: 10,
  title: both("domain.smoke"),
  icon: {
    path: "M12 21a6 6 0 0 0 6-6c0-3.200-2-4.600-3-7-.4 1.600-1.200 2.400-2 3 .2-3.200-1-6-3.500-8 .2 3.500-3.500 6-3.500 11.500A6 6 0 0 0 12 21ZM12 21a2.600 2.600 0 0 0 2.600-2.600c0-1.700-1.600-2.400-2.600-4-1 1.600-2.600 2.300-2.600 4A2.600 2.600 0 0 0 12 21Z",
  },
  actors: ["dispatcher", "maintainer", "administrator"],
  parameters: keysOf("param"),
} satisfies DomainDescriptor;
