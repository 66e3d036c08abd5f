/** Vehicles that are too loud. */

import type { DomainDescriptor } from "../descriptor";
import "./colour.css";
import { both, keysOf } from "./speech";

export default {
  key: "noise",
  rank: 20,
  title: both("domain.noise"),
  icon: {
    path: "M4 10v4h3.500L12 18V6L7.500 10H4ZM15.500 9.500a3.700 3.700 0 0 1 0 5M18 7a7.300 7.300 0 0 1 0 10",
  },
  actors: ["inspector", "reviewer", "police", "administrator"],
  parameters: keysOf("param"),
  momentary: true,
  evidenceFirst: true,
} satisfies DomainDescriptor;
