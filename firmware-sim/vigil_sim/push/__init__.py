"""A stand-in for the push services of browsers, and phones that subscribe there."""
