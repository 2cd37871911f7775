"""Frames that RFC 9113 forbids, and some that it allows, to one listener: what comes back must be what the RFC says.

    python http2.py HOST PORT CA_FILE GET_PATH POST_PATH

GET_PATH answers 200, POST_PATH 401 to a form without credentials.
Frames are made and read by hyperframe and field blocks by hpack, which share no code with the server. Each check has a connection
of its own. Prints a JSON object: `checks`, how many were made, and `findings`, each with `of` (the section and the check) and `says`.
"""

import json
import socket
import ssl
import struct
import sys

from hpack import Decoder, Encoder
from hyperframe.frame import (
    ContinuationFrame, DataFrame, Frame, GoAwayFrame, HeadersFrame, PingFrame, RstStreamFrame, SettingsFrame,
)

PROTOCOL_ERROR, FLOW_CONTROL_ERROR, STREAM_CLOSED, FRAME_SIZE_ERROR, COMPRESSION_ERROR = 1, 3, 5, 6, 9
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM, END_HEADERS, PADDED, ACK = 1, 4, 8, 1
PATIENCE_SECONDS = 20

host, port, ca_file, get_path, post_path = sys.argv[1:]
context = ssl.create_default_context(cafile=ca_file)
context.set_alpn_protocols(["h2"])


def raw(kind, flags, stream, payload=b""):
    """A frame as it is, however wrong (section 4.1)."""
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def block(fields):
    return Encoder().encode(fields, huffman=False)


def fields(method="GET", path=None, *more):
    path = path or (get_path if method == "GET" else post_path)
    pseudo = [(":method", method), (":scheme", "https"), (":authority", f"{host}:{port}"), (":path", path)]
    return pseudo + list(more)


FORM = ("content-type", "application/x-www-form-urlencoded")


def request(stream=1, end=True, of=None):
    flags = ["END_HEADERS", "END_STREAM"] if end else ["END_HEADERS"]
    return HeadersFrame(stream, data=block(of or fields()), flags=flags).serialize()


def post(stream=1, *more):
    return request(stream, end=False, of=fields("POST", None, FORM, *more))


def setting(identifier, value):
    return raw(SETTINGS, 0, 0, struct.pack(">HI", identifier, value))


def ping(payload=b"12345678"):
    return PingFrame(0, opaque_data=payload).serialize()


class Connection:
    """What was said and heard on one connection."""

    def __init__(self, preface=PREFACE + SettingsFrame(0).serialize()):
        tcp = socket.create_connection((host, int(port)), PATIENCE_SECONDS)
        self.tls = context.wrap_socket(tcp, server_hostname=host)
        self.tls.sendall(preface)

    def exactly(self, count):
        read = b""
        while len(read) < count:
            more = self.tls.recv(count - len(read))
            if not more:
                return None
            read += more
        return read

    def frames(self):
        """Every frame until the end or the patience's; `None` last where the connection ended."""
        try:
            while (head := self.exactly(9)) is not None:
                frame, length = Frame.parse_frame_header(memoryview(head))
                frame.parse_body(memoryview(self.exactly(length) or b""))
                yield frame
            yield None
        except (ConnectionError, ssl.SSLError, BrokenPipeError):
            yield None
        except TimeoutError:
            return

    def until(self, wanted):
        """The first frame that is wanted: `closed` for the connection's end, and what came instead."""
        came = []
        for frame in self.frames():
            if frame is None:
                return "closed"
            said = wanted(frame)
            if said:
                return said
            came.append(type(frame).__name__)
        return f"nothing but {', '.join(came) or 'silence'}"


def told(frame):
    if isinstance(frame, GoAwayFrame) and frame.error_code:
        return f"connection error {frame.error_code}"
    if isinstance(frame, RstStreamFrame) and frame.error_code:
        return f"stream error {frame.error_code}"
    return None


def answered(frame):
    if isinstance(frame, HeadersFrame):
        # The status comes first in the field block.
        return f"answer {Decoder().decode(frame.data)[0][1]}"
    return told(frame)


def echoed(frame):
    if isinstance(frame, PingFrame) and "ACK" in frame.flags:
        return "pong"
    return told(frame)


def connection_error(*codes):
    """The connection ends, and where a GOAWAY says why, it says this (section 5.4.1)."""
    return told, {"closed"} | {f"connection error {code}" for code in codes}


def stream_error(*codes):
    """The stream is reset, or the connection ends, which any endpoint may treat as the same (section 5.4.2)."""
    wanted, of_connection = connection_error(*codes)
    return wanted, of_connection | {f"stream error {code}" for code in codes}


def malformed():
    """A malformed request (section 8.1.1): a stream error, before which an answer may come."""
    _, errors = stream_error(PROTOCOL_ERROR)
    return answered, errors | {"answer 400"}


served, ponged = (answered, {"answer 200"}), (echoed, {"pong"})
# What POST_PATH says to whoever shows no credentials: the request was read, and not refused as malformed.
read = answered, {"answer 401"}
GET, END = request(), raw(DATA, END_STREAM, 1)
BIG = 16_385
without = lambda name: [pair for pair in fields() if pair[0] != name]

CHECKS = [
    # Section, what is sent, the frames, what must come.
    ("3.4", "settings and a request", [GET], served),
    ("3.4", "a preface that is none", None, connection_error(PROTOCOL_ERROR)),
    ("3.4", "no SETTINGS first", (PREFACE, [ping()]), (echoed, connection_error(PROTOCOL_ERROR)[1])),
    ("4.1", "a frame of an unknown type", [raw(0xFA, 0xFF, 1, b"what"), ping()], ponged),
    ("4.1", "a reserved bit that is set", [raw(PING, 0, 1 << 31, b"12345678")], ponged),
    ("4.2", "DATA beyond the largest frame", [post(), raw(DATA, END_STREAM, 1, b"x" * BIG)], stream_error(FRAME_SIZE_ERROR)),
    ("4.2", "HEADERS beyond the largest frame", [raw(HEADERS, 5, 1, b"\0" * BIG)], connection_error(FRAME_SIZE_ERROR)),
    ("4.2", "SETTINGS beyond the largest frame", [raw(SETTINGS, 0, 0, b"\0" * 16_386)], connection_error(FRAME_SIZE_ERROR)),
    ("4.3", "an index that no table has", [raw(HEADERS, 5, 1, b"\xff\xff\x7f")], connection_error(COMPRESSION_ERROR)),
    ("4.3", "a table larger than was allowed", [
        raw(HEADERS, 5, 1, b"\x3f\xe1\xff\x03" + block(fields())),
    ], connection_error(COMPRESSION_ERROR)),
    ("4.3", "a field block that is cut off", [raw(HEADERS, 5, 1, block(fields())[:-3])], connection_error(COMPRESSION_ERROR)),
    ("5.1", "DATA on an idle stream", [raw(DATA, END_STREAM, 1, b"x")], connection_error(PROTOCOL_ERROR)),
    ("5.1", "RST_STREAM on an idle stream", [raw(RST_STREAM, 0, 1, b"\0\0\0\x08")], connection_error(PROTOCOL_ERROR)),
    ("5.1", "WINDOW_UPDATE on an idle stream", [raw(WINDOW_UPDATE, 0, 1, b"\0\0\0\x64")], connection_error(PROTOCOL_ERROR)),
    ("5.1", "CONTINUATION on an idle stream", [
        raw(CONTINUATION, END_HEADERS, 1, block(fields())),
    ], connection_error(PROTOCOL_ERROR)),
    ("5.1", "DATA after the stream's end", [post(), END, raw(DATA, END_STREAM, 1, b"x")], stream_error(STREAM_CLOSED)),
    ("5.1", "HEADERS after the stream's end", [post(), END, GET], stream_error(STREAM_CLOSED)),
    ("5.1.1", "a stream of an even number", [request(2)], connection_error(PROTOCOL_ERROR)),
    ("5.1.1", "a stream of a lower number", [request(5), request(3)], stream_error(PROTOCOL_ERROR, STREAM_CLOSED)),
    ("6.1", "DATA on stream 0", [raw(DATA, END_STREAM, 0, b"x")], connection_error(PROTOCOL_ERROR)),
    ("6.1", "DATA that is all padding and more", [
        post(), raw(DATA, PADDED | END_STREAM, 1, b"\x05abcd"),
    ], connection_error(PROTOCOL_ERROR)),
    ("6.1", "DATA with padding", [post(1, ("content-length", "3")), raw(DATA, PADDED | END_STREAM, 1, b"\x02a=b\0\0")], read),
    ("6.2", "HEADERS on stream 0", [raw(HEADERS, 5, 0, block(fields()))], connection_error(PROTOCOL_ERROR)),
    ("6.2", "HEADERS that are all padding and more", [
        raw(HEADERS, PADDED | 5, 1, b"\xff" + block(fields())),
    ], connection_error(PROTOCOL_ERROR)),
    ("6.2", "PING inside a field block", [
        raw(HEADERS, END_STREAM, 1, block(fields())), ping(),
    ], connection_error(PROTOCOL_ERROR)),
    ("6.2", "CONTINUATION of another stream", [
        raw(HEADERS, END_STREAM, 1, block(fields())), raw(CONTINUATION, END_HEADERS, 3),
    ], connection_error(PROTOCOL_ERROR)),
    ("6.3", "PRIORITY on stream 0", [raw(PRIORITY, 0, 0, b"\0" * 5)], connection_error(PROTOCOL_ERROR)),
    ("6.3", "PRIORITY of 4 bytes", [post(), raw(PRIORITY, 0, 1, b"\0" * 4)], stream_error(FRAME_SIZE_ERROR)),
    ("6.4", "RST_STREAM on stream 0", [raw(RST_STREAM, 0, 0, b"\0\0\0\x08")], connection_error(PROTOCOL_ERROR)),
    ("6.4", "RST_STREAM of 3 bytes", [post(), raw(RST_STREAM, 0, 1, b"\0\0\0")], connection_error(FRAME_SIZE_ERROR)),
    ("6.5", "an acknowledgement that holds something", [
        raw(SETTINGS, ACK, 0, b"\0\3\0\0\0\1"),
    ], connection_error(FRAME_SIZE_ERROR)),
    ("6.5", "SETTINGS on a stream", [raw(SETTINGS, 0, 1)], connection_error(PROTOCOL_ERROR)),
    ("6.5", "SETTINGS of 5 bytes", [raw(SETTINGS, 0, 0, b"\0" * 5)], connection_error(FRAME_SIZE_ERROR)),
    ("6.5.2", "ENABLE_PUSH 2", [setting(2, 2)], connection_error(PROTOCOL_ERROR)),
    ("6.5.2", "INITIAL_WINDOW_SIZE of 2^31", [setting(4, 1 << 31)], connection_error(FLOW_CONTROL_ERROR)),
    ("6.5.2", "MAX_FRAME_SIZE of 16383", [setting(5, 16_383)], connection_error(PROTOCOL_ERROR)),
    ("6.5.2", "MAX_FRAME_SIZE of 2^24", [setting(5, 1 << 24)], connection_error(PROTOCOL_ERROR)),
    ("6.5.2", "a setting that is not known", [setting(0xFA, 1), ping()], ponged),
    ("6.6", "PUSH_PROMISE of a client", [
        raw(PUSH_PROMISE, END_HEADERS, 1, b"\0\0\0\2" + block(fields())),
    ], connection_error(PROTOCOL_ERROR)),
    ("6.7", "PING", [ping()], ponged),
    ("6.7", "PING on a stream", [raw(PING, 0, 1, b"12345678")], connection_error(PROTOCOL_ERROR)),
    ("6.7", "PING of 7 bytes", [raw(PING, 0, 0, b"1234567")], connection_error(FRAME_SIZE_ERROR)),
    ("6.8", "GOAWAY on a stream", [raw(GOAWAY, 0, 1, b"\0" * 8)], connection_error(PROTOCOL_ERROR)),
    ("6.9", "WINDOW_UPDATE of 0 on the connection", [raw(WINDOW_UPDATE, 0, 0, b"\0\0\0\0")], connection_error(PROTOCOL_ERROR)),
    ("6.9", "WINDOW_UPDATE of 0 on a stream", [post(), raw(WINDOW_UPDATE, 0, 1, b"\0\0\0\0")], stream_error(PROTOCOL_ERROR)),
    ("6.9", "WINDOW_UPDATE of 3 bytes", [raw(WINDOW_UPDATE, 0, 0, b"\0\0\1")], connection_error(FRAME_SIZE_ERROR)),
    ("6.9.1", "a connection's window beyond 2^31-1", [
        raw(WINDOW_UPDATE, 0, 0, b"\x7f\xff\xff\xff"),
    ], connection_error(FLOW_CONTROL_ERROR)),
    ("6.9.1", "a stream's window beyond 2^31-1", [
        post(), raw(WINDOW_UPDATE, 0, 1, b"\x7f\xff\xff\xff"),
    ], stream_error(FLOW_CONTROL_ERROR)),
    ("6.9.2", "a stream's window beyond 2^31-1 by SETTINGS", [
        post(), raw(WINDOW_UPDATE, 0, 1, b"\0\0\xff\xff"), setting(4, (1 << 31) - 1),
    ], connection_error(FLOW_CONTROL_ERROR)),
    ("6.10", "a field block in three frames", [
        raw(HEADERS, END_STREAM, 1, block(fields())[:2]),
        raw(CONTINUATION, 0, 1, block(fields())[2:9]),
        ContinuationFrame(1, data=block(fields())[9:], flags=["END_HEADERS"]).serialize(),
    ], served),
    ("6.10", "CONTINUATION on stream 0", [
        raw(HEADERS, END_STREAM, 1, block(fields())), raw(CONTINUATION, END_HEADERS, 0),
    ], connection_error(PROTOCOL_ERROR)),
    ("6.10", "CONTINUATION after the block's end", [
        post(), raw(CONTINUATION, END_HEADERS, 1, block([("a", "b")])),
    ], connection_error(PROTOCOL_ERROR)),
    ("8.1", "a second HEADERS that does not end the stream", [
        post(), request(1, end=False, of=[("a", "b")]),
    ], stream_error(PROTOCOL_ERROR)),
    ("8.1", "trailers with a pseudo field", [post(), request(1, of=[(":path", "/")])], malformed()),
    ("8.1.1", "a Content-Length of more than the body", [
        post(1, ("content-length", "9")), DataFrame(1, data=b"a=b", flags=["END_STREAM"]).serialize(),
    ], malformed()),
    ("8.1.1", "a Content-Length of less than the body", [
        post(1, ("content-length", "1")), DataFrame(1, data=b"a=b", flags=["END_STREAM"]).serialize(),
    ], malformed()),
    ("8.2.1", "a field name in capitals", [request(of=fields("GET", None, ("X-Test", "ok")))], malformed()),
    ("8.2.1", "a field name with a space", [request(of=fields("GET", None, ("x test", "ok")))], malformed()),
    ("8.2.1", "a field value with a line break", [request(of=fields("GET", None, ("x-test", "a\r\nb: c")))], malformed()),
    ("8.2.2", "Connection", [request(of=fields("GET", None, ("connection", "keep-alive")))], malformed()),
    ("8.2.2", "Transfer-Encoding", [request(of=fields("GET", None, ("transfer-encoding", "chunked")))], malformed()),
    ("8.2.2", "TE of something else than trailers", [request(of=fields("GET", None, ("te", "trailers, deflate")))], malformed()),
    ("8.3", "a pseudo field that is not known", [request(of=[(":test", "ok")] + fields())], malformed()),
    ("8.3", "an answer's pseudo field", [request(of=[(":status", "200")] + fields())], malformed()),
    ("8.3", "a pseudo field after others", [request(of=without(":path") + [("x-test", "ok"), (":path", get_path)])], malformed()),
    ("8.3", "a pseudo field twice", [request(of=[(":path", get_path)] + fields())], malformed()),
    ("8.3.1", "an empty :path", [request(of=without(":path") + [(":path", "")])], malformed()),
    ("8.3.1", "no :method", [request(of=without(":method"))], malformed()),
    ("8.3.1", "no :scheme", [request(of=without(":scheme"))], malformed()),
    ("8.3.1", "no :path", [request(of=without(":path"))], malformed()),
]


def tried(sent, wanted):
    """What came of one check."""
    try:
        if sent is None:
            return Connection(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n").until(wanted)
        connection, frames = (Connection(sent[0]), sent[1]) if isinstance(sent, tuple) else (Connection(), sent)
        connection.tls.sendall(b"".join(frames))
    except (ConnectionError, ssl.SSLError):
        return "closed"
    return connection.until(wanted)


findings = []
for section, name, sent, (wanted, expected) in CHECKS:
    came = tried(sent, wanted)
    if came not in expected:
        findings.append({"of": f"{section} {name}", "says": f"{came}, not {' or '.join(sorted(expected))}"})
json.dump({"checks": len(CHECKS), "findings": findings}, sys.stdout, indent=1)
