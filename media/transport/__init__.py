"""Transports: UDP sockets, DTLS and SRTP."""
