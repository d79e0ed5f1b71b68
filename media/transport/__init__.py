"""Sends and receives packets: UDP sockets, TCP streams, DTLS handshakes and SRTP encryption."""
