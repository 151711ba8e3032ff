"""The kinds of `drover.dev/v1alpha1`: pydantic models of spec and status, one module a kind."""
