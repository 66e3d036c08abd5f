"""Who is called of an alert, in which order, until somebody answers: policies and their engine."""
