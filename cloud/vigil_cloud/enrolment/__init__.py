"""A box becomes a gateway: one-time codes, the certificate it is given, its renewal."""
