"""Parses and builds the bytes and texts that RFCs define: ICE, RTP, RTCP, SDP, transport-cc. Does no I/O."""
