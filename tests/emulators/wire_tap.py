"""A loopback proxy that writes down every AWS request that passes, before it passes it on.

How often a call was sent is then known from the wire, not from what the program says of itself.
A `Tap` can also end a process between the effect of a call and its answer: the request reaches
the emulator, and the sender is killed before it hears of it.
"""

import http.client
import http.server
import re
import threading
import urllib.parse
from dataclasses import dataclass

SCOPE = re.compile(r"Credential=[^/]+/\d{8}/([^/]+)/([^/]+)/aws4_request")
# The calls that change something, of the services that the program writes to.
WRITES = ("Create", "Delete", "Change", "Copy", "Failover", "Switchover", "Modify", "Promote", "Put", "Restore",
          "Start", "Stop", "Remove", "Reboot", "Update", "Set", "Add", "Tag", "Untag")


# AWS Backup speaks REST-JSON: the path names what is started.
BACKUP_STARTS = {"backup-jobs": "StartBackupJob", "copy-jobs": "StartCopyJob", "restore-jobs": "StartRestoreJob"}


@dataclass(frozen=True)
class Call:
    service: str
    operation: str
    region: str
    status: int
    body: str

    @property
    def writes(self):
        return self.operation.startswith(WRITES)

    def __str__(self):
        return f"{self.service} {self.operation} {self.region}"


def route53_operation(method, path):
    """REST-XML names nothing: the method and the path do."""
    parts = [p for p in urllib.parse.urlsplit(path).path.split("/") if p][1:]
    if parts[:1] == ["hostedzone"] and parts[2:] in (["rrset"], ["rrset", ""]):
        return "ChangeResourceRecordSets" if method == "POST" else "ListResourceRecordSets"
    if parts[:1] == ["healthcheck"] and len(parts) == 2 and method == "POST":
        return "UpdateHealthCheck"
    reads = method in ("GET", "HEAD")
    return f"{'Get' if reads else method.title()}:{'/'.join(parts)}" if reads else f"Change:{method} {'/'.join(parts)}"


def describe(method, path, headers, body):
    """(service, operation, Region) of a signed request."""
    scope = SCOPE.search(headers.get("Authorization", ""))
    region, service = scope.groups() if scope else ("unsigned", "unsigned")
    cbor = re.search(r"/service/[^/]+/operation/([A-Za-z]+)", path)
    if cbor:
        return service, cbor.group(1), region
    target = headers.get("X-Amz-Target")
    if target:
        return service, target.rpartition(".")[2], region
    if service == "route53":
        return service, route53_operation(method, path), region
    action = urllib.parse.parse_qs(body.decode("latin-1")).get("Action")
    if action:
        return service, action[0], region
    parts = urllib.parse.urlsplit(path).path.strip("/").split("/")
    if service == "backup" and method == "PUT" and len(parts) == 1 and parts[0] in BACKUP_STARTS:
        return service, BACKUP_STARTS[parts[0]], region
    reads = method in ("GET", "HEAD")
    return service, f"{'Get' if reads else 'Put'}:{method} {urllib.parse.urlsplit(path).path}", region


class Tap:
    """Use as a context manager; `endpoint` is where the program is pointed."""

    def __init__(self, upstream):
        self.upstream = urllib.parse.urlsplit(upstream).netloc
        self.calls = []
        self._lock = threading.Lock()
        # (operation, callable): the callable runs after the effect and before the answer, once.
        self._before_answer = None
        tap = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_any(self):
                tap.pass_on(self)

            do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = do_PATCH = handle_any

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128

            def handle_error(self, *_):
                pass  # the sender hung up: its own affair

        self._server = Server(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    @property
    def endpoint(self):
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()

    def before_answer(self, operation, action):
        """Once, when `operation` has taken effect and its answer is not yet sent back: do `action`."""
        with self._lock:
            self._before_answer = (operation, action)

    def writes(self):
        with self._lock:
            return [call for call in self.calls if call.writes]

    def forget(self):
        with self._lock:
            self.calls.clear()

    def pass_on(self, request):
        length = int(request.headers.get("Content-Length") or 0)
        body = request.rfile.read(length)
        upstream = http.client.HTTPConnection(self.upstream, timeout=60)
        try:
            upstream.putrequest(request.command, request.path, skip_host=True, skip_accept_encoding=True)
            for name, value in request.headers.items():
                if name.lower() not in ("connection", "keep-alive", "transfer-encoding"):
                    upstream.putheader(name, value)
            upstream.endheaders(body)
            answer = upstream.getresponse()
            content = answer.read()
        finally:
            upstream.close()
        service, operation, region = describe(request.command, request.path, request.headers, body)
        with self._lock:
            self.calls.append(Call(service, operation, region, answer.status, body.decode("latin-1")))
            action = None
            if self._before_answer and self._before_answer[0] == operation:
                action, self._before_answer = self._before_answer[1], None
        if action:
            action()
        request.send_response_only(answer.status, answer.reason)
        for name, value in answer.getheaders():
            if name.lower() not in ("connection", "keep-alive", "transfer-encoding", "content-length"):
                request.send_header(name, value)
        request.send_header("Content-Length", str(len(content)))
        request.end_headers()
        if request.command != "HEAD":
            request.wfile.write(content)
