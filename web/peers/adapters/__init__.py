"""Adapters play the people of a run on servers that are no Greenroom, so that the same scenario can be compared."""
