"""A web service of the test's own, in this process: notes what it is asked, answers as told."""
import http.server
import json
import threading
import urllib.parse


class Service:
    """`answer(path, params)` gives status and body; a dict becomes JSON. None: the connection is
    closed without a word. `asked` has what came, in order."""

    def __init__(self, answer, context=None):
        self.asked, self.headers, self.answer = [], [], answer
        service = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def respond(self, path, params):
                service.headers.append(self.headers)
                service.asked.append((path, params))
                reply = service.answer(path, params)
                if reply is None:
                    self.close_connection = True
                    return
                status, body = reply
                data = (json.dumps(body) if isinstance(body, dict) else body).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def do_GET(self):
                path, _, query = self.path.partition("?")
                self.respond(path, dict(urllib.parse.parse_qsl(query, keep_blank_values=True)))

            def do_POST(self):
                data = self.rfile.read(int(self.headers["Content-Length"])).decode()
                is_json = self.headers["Content-Type"] == "application/json"
                self.respond(self.path, json.loads(data) if is_json else
                             dict(urllib.parse.parse_qsl(data, keep_blank_values=True)))

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        if context is not None:
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_port
        self.url = f"{'http' if context is None else 'https'}://127.0.0.1:{self.port}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True)
        self.thread.start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()
