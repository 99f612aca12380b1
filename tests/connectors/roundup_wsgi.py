"""Serves a Roundup tracker on loopback, run by Roundup's own Python: its server refuses root."""

import sys
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server


class Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the interface's
        pass


if __name__ == "__main__":
    from roundup.cgi.wsgi_handler import RequestDispatcher

    tracker = RequestDispatcher(sys.argv[1], feature_flags={"cache_tracker": ""})
    made = {"server_class": Server, "handler_class": Quiet}
    make_server("127.0.0.1", int(sys.argv[2]), tracker, **made).serve_forever()
