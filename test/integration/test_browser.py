"""A page in a real browser: MQTT.js over WebSocket, and which pages may connect."""
import http.server
import pathlib
import queue
import subprocess
import threading

import pytest

import daemon

HERE = pathlib.Path(__file__).parent
SECONDS_MAX = 60
FILES = {"/": (HERE / "browser.html", "text/html"),
         "/mqtt.min.js": (HERE / "node_modules/mqtt/dist/mqtt.min.js", "text/javascript")}
ALL_CAME = ["page/0", "page/1 \U0001F600", "page/2 \U0001F600\U0001F600"]


class Page(http.server.BaseHTTPRequestHandler):
    """Serves the page and its script, and takes its report."""

    def do_GET(self):
        path, kind = FILES.get(self.path.split("?")[0], (None, None))
        self.send_response(200 if path else 404)
        self.send_header("Content-Type", kind or "text/plain")
        self.end_headers()
        if path:
            self.wfile.write(path.read_bytes())

    def do_POST(self):
        text = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.server.reports.put(sorted(line.strip() for line in text.splitlines()))
        self.send_response(200)
        self.end_headers()
        if self.server.visits:
            self.wfile.write(self.server.visits.pop(0).encode())

    def log_message(self, *_):
        pass


@pytest.fixture
def pages():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page)
    server.reports, server.visits = queue.Queue(), []
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def broker(daemons, folder, **options):
    folder.mkdir()
    port = daemon.free_port()
    made = daemons(folder, listener__ws__page=f"127.0.0.1:{port}", **options).start()
    made.ws_port, made.refused = port, 0
    return made


def test_pages(daemons, pages, tmp_path):
    """The last name is at our address, as its owner may have made it: no reason to let it in."""
    strict = broker(daemons, tmp_path / "strict")
    open_to = f"http://localhost:{pages.server_port}"
    loose = broker(daemons, tmp_path / "loose", listener__ws__page__origins=open_to)
    tries = [("127.0.0.1", "127.0.0.1", strict, True), ("localhost", "127.0.0.1", strict, False),
             ("localhost", "127.0.0.1", loose, True), ("127.0.0.1", "127.0.0.1", loose, False),
             ("evil.example", "evil.example", strict, False)]
    pages.visits = [f"http://{page}:{pages.server_port}/?ws://{host}:{one.ws_port}/mqtt"
                    for page, host, one, _ in tries]
    browser = subprocess.Popen(
        ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
         "--disable-dev-shm-usage", f"--user-data-dir={tmp_path / 'browser'}",
         "--host-resolver-rules=MAP *.example 127.0.0.1", pages.visits.pop(0)],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for page, _, one, allowed in tries:
            got = pages.reports.get(timeout=SECONDS_MAX)
            assert (got == ALL_CAME) == allowed, (page, got)
            one.refused += not allowed
            assert allowed or one.wait_for("connection.refused", one.refused)
            assert allowed or any("403: pages of this origin may not connect" in line and
                                  f"http://{page}:" in line for line in one.lines)
    finally:
        browser.kill()
        browser.wait()
