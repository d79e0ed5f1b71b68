"""Parsers and builders for the RFCs' bytes and text: ICE, RTP, RTCP, SDP, transport-cc. Pure: no I/O, no clock."""
