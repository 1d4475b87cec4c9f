"""Scoreboard consoles' wires: one module a protocol, each with its decoder and its encoder, under one registry.

    bytes ─► decoder ─► Reading          protocols.PROTOCOLS names them, recognition.Recogniser tells them apart
    Board ─► encoder ─► bytes            decoding.FrameDecoder finds frames; two protocols bring a decoder of their own

Pure: no clock, socket, file or log.
"""
