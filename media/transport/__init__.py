"""Sockets, DTLS and SRTP."""
