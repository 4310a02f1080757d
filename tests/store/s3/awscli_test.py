"""awscli and the tool read each other."""
raise SystemExit(77)
