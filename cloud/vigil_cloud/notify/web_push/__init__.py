"""Web Push (RFC 8030): a browser's notifications, encrypted for it (RFC 8291) and signed by us
(RFC 8292). Nothing here knows alerts or tables."""
