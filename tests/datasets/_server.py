"""A server of files on this machine, since tests have no network."""

import hashlib
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class FileServer:
    """Serves ``files`` (path to bytes) and notes the ranges that were asked for.

    ``cut`` tells after how many bytes of its answer the connection ends; ``ranges`` and ``encoding`` switch the support
    of ranges off and a Content-Encoding on; ``before`` is called before each answer; ``shift`` has the rest of a file
    start so many bytes late.
    """

    def __init__(self):
        self.files, self.asked = {}, []
        self.cut, self.ranges, self.encoding, self.before, self.shift = None, True, None, lambda: None, 0

    def answer(self, request):
        self.asked.append((request.path, request.headers.get("Range")))
        self.before()
        body = self.files.get(request.path)
        if body is None:
            return request.send_error(404)
        tag, start, status = f'"{hashlib.md5(body).hexdigest()}"', 0, 200
        if self.ranges and "Range" in request.headers and request.headers["If-Range"] == tag:
            start, status = int(request.headers["Range"].removeprefix("bytes=").removesuffix("-")) + self.shift, 206
        if start >= len(body) and start:
            return request.send_error(416)
        request.send_response(status)
        request.send_header("Content-Length", str(len(body) - start))
        request.send_header("ETag", tag)
        if status == 206:
            request.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        if self.encoding:
            request.send_header("Content-Encoding", self.encoding)
        request.end_headers()
        rest = body[start:]
        request.wfile.write(rest if self.cut is None else rest[: self.cut])


@contextmanager
def serving():
    """A running `FileServer`, with its address in `url`."""
    files = FileServer()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            files.answer(self)

        def log_message(self, *args):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        files.url = f"http://127.0.0.1:{running.server_port}/"
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield files
        finally:
            running.shutdown()
            thread.join()
