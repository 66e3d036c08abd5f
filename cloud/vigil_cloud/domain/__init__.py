"""The seam between the platform and the domains: what a domain describes, and how it is asked."""
