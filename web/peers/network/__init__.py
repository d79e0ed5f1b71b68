"""Bad networks on purpose: what happens to each packet, the file that says so, and the proxy that does it."""
