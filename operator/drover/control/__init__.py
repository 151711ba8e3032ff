"""The controllers, one module a kind, and the engine that runs them. Pure: time comes in, writes go out."""
