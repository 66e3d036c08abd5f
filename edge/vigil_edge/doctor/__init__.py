"""``vigil-edge doctor``: looks at everything a gateway needs and says what to mend."""
