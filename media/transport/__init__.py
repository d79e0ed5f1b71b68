"""Transports: UDP sockets, TCP streams, DTLS and SRTP."""
