"""Contains adapters: classes that play the same people on other video servers, to compare these with Greenroom."""
