"""A daemon as far as a tray sees it: shows the status that each line of standard input names."""

import contextlib
import json
import os
import pathlib
import socketserver
import sys
import threading
from http.server import BaseHTTPRequestHandler

HOME = pathlib.Path(os.environ["ENSAFER_HOME"])
SOCKET = HOME / "runtime/ensafer.sock"
ID = "07" * 16
NOW = "2026-01-01T00:00:00Z"
COUNTS = {"attention": {"problems": 3, "conflicts": 1}}
WHY = {"paused": "until 15:30", "offline": "no such directory"}
FILES = ["Taxes/2025.ods", "Minutes of May.txt", "Offer.pdf", "Letters/Bob.txt"]

changed = threading.Condition()
state = "checking"


def folder_status():
    status = {"folder": ID, "state": state, "problems": 0, "still-arriving": 0, "conflicts": 0}
    status |= COUNTS.get(state, {}) | {"since": NOW, "last-checked": None}
    if state in WHY:
        status["why"] = WHY[state]
    if state == "working":
        status["progress"] = {"done-count": 31, "total-count": 312, "done-bytes": 0, "total-bytes": 0}
    return status


def folder():
    paths = {"work": "/home/alice/Work", "encrypted": "/home/alice/Dropbox/Work"}
    return {"id": ID, "name": "Work", "role": "owner", "status": folder_status()} | paths


def deed(path):
    return {"folder": ID, "at": NOW, "deed": "changed", "path": path, "here": True, "author": "alice, laptop"}


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        answers = {
            "/v1/version": {"version": os.environ["ENSAFER_VERSION"], "api": 1},
            "/v1/folders": [folder()],
            "/v1/activity": [deed(path) for path in FILES],
        }
        path = self.path.partition("?")[0]
        if path == "/v1/events":
            # The tray breaks off when folders begin or end something, and asks anew.
            with contextlib.suppress(BrokenPipeError):
                self.events()
        elif path in answers:
            body = json.dumps(answers[path]).encode()
            self.head("application/json", len(body))
            self.wfile.write(body)
        else:
            self.send_error(404)

    def head(self, kind, length=None):
        self.send_response(200)
        self.send_header("content-type", kind)
        if length is not None:
            self.send_header("content-length", str(length))
        self.end_headers()

    def events(self):
        self.head("text/event-stream")
        with changed:
            while True:
                told = {"state": state, "folders": [folder_status()]}
                self.wfile.write(f"event: status\ndata: {json.dumps(told)}\n\n".encode())
                self.wfile.flush()
                changed.wait()

    def address_string(self):
        return "tray"

    def log_message(self, *_):
        pass


class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True


server = Server(str(SOCKET), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
record = HOME / "data/daemon.lock"
record.write_text(json.dumps({"process_id": os.getpid(), "socket": str(SOCKET)}))
for line in sys.stdin:
    with changed:
        state = line.strip()
        changed.notify_all()
SOCKET.unlink()
record.write_text("")
