/** AED cabinets, the register, and volunteers. */

import type { DomainDescriptor } from "../descriptor";
import "./colour.css";
import { both, keysOf } from "./speech";

export default {
  key: "aed",
  rank: 5,
  title: both("domain.aed"),
  icon: {
    path: "M12 20.500s-8-4.800-8-10.900A4.600 4.600 0 0 1 12 6.600a4.600 4.600 0 0 1 8 3C20 15.700 12 20.500 12 20.500ZM12.800 8.500l-3 4.300h2.200l-.800 3.200 3-4.300H12Z",
  },
  actors: ["dispatcher", "police", "maintainer", "administrator"],
  parameters: keysOf("param"),
} satisfies DomainDescriptor;
