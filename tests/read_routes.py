"""Loaded by the nursery of the cloud's programs: the API's routes are read once for all of them."""

from __future__ import annotations

import city_application

city_application.keep()
