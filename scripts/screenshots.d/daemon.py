"""A daemon as far as a tray sees it: shows the status that each line of standard input names."""

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
COUNTS = {"attention": {"problems": 3, "conflicts": 1}}
WHY = {"paused": "for 1 h", "offline": "no such directory"}

changed = threading.Condition()
state = "checking"


def status():
    folder = {"folder": ID, "state": state, "problems": 0, "still-arriving": 0, "conflicts": 0}
    folder |= COUNTS.get(state, {}) | {"since": "2026-01-01T00:00:00Z", "last-checked": None}
    if state in WHY:
        folder["why"] = WHY[state]
    if state == "working":
        folder["progress"] = {"done-count": 31, "total-count": 312, "done-bytes": 0, "total-bytes": 0}
    return {"state": state, "folders": [folder]}


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        answers = {
            "/v1/version": {"version": os.environ["ENSAFER_VERSION"], "api": 1},
            "/v1/folders": [{"id": ID, "work": "/home/alice/Work", "encrypted": "/home/alice/Dropbox/Encrypted"}],
        }
        if self.path == "/v1/events":
            self.events()
        elif self.path in answers:
            body = json.dumps(answers[self.path]).encode()
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
                self.wfile.write(f"event: status\ndata: {json.dumps(status())}\n\n".encode())
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
