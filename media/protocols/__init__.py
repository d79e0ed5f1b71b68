"""Bytes and text of the RFCs: ICE, RTP, RTCP, SDP, transport-cc. Pure: no I/O, no clock."""
