"""Behaves as the XML API of Google Cloud Storage does for objects and multipart uploads, as far as its documentation says it
(cloud.google.com/storage/docs/xml-api: "POST Object multipart", "PUT Object", "HEAD Object", "GET Bucket").
Arguments: the directory that becomes the bucket, its name, and the public key of the service account that may use it."""

import base64
import hashlib
import http.server
import json
import pathlib
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse

root, bucket, public = pathlib.Path(sys.argv[1]), sys.argv[2], sys.argv[3]
uploads, metadata, lock = {}, {}, threading.Lock()


def raw(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def is_known(authorization):
    """A token that the service account has signed by itself (RFC 7519, RS256; google.aip.dev/auth/4111)."""
    kind, _, token = (authorization or "").partition(" ")
    if kind != "Bearer" or token.count(".") != 2:
        return False
    message, signature = token.rsplit(".", 1)
    claims = json.loads(raw(message.split(".")[1]))
    with tempfile.NamedTemporaryFile() as file:
        file.write(raw(signature))
        file.flush()
        check = ["openssl", "dgst", "-sha256", "-verify", public, "-signature", file.name]
        is_signed = subprocess.run(check, input=message.encode(), capture_output=True).returncode == 0
    return is_signed and claims["exp"] > time.time() and "storage.example" in claims["iss"]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status, text="", headers=()):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        if self.command != "HEAD":
            self.send_header("Content-Length", str(len(text.encode())))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(text.encode())

    def error(self, status, code):
        self.answer(status, f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>{code} it is.</Message></Error>")

    def serve(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        url = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(url.query, keep_blank_values=True))
        named, _, key = urllib.parse.unquote(url.path).lstrip("/").partition("/")
        if not is_known(self.headers.get("Authorization")):
            return self.error(401, "AuthenticationRequired")
        if named != bucket:
            return self.error(404, "NoSuchBucket")
        with lock:
            self.act(key, query, body)

    def act(self, key, query, body):
        path = root / key
        if self.command == "GET" and not key:
            return self.answer(200, "<?xml version='1.0'?><ListBucketResult></ListBucketResult>")
        if self.command == "HEAD":
            if not path.is_file():
                return self.error(404, "NoSuchKey")
            content = path.read_bytes()
            told = [("Content-Length", str(len(content))), ("ETag", f'"{hashlib.md5(content).hexdigest()}"')]
            told += [("Last-Modified", "Wed, 21 Oct 2015 07:28:00 GMT"), *metadata.get(key, {}).items()]
            return self.answer(200, headers=told)
        if self.command == "POST" and "uploads" in query:
            name = hashlib.sha256(f"{key}{len(uploads)}".encode()).hexdigest()
            kept = {it: value for it, value in self.headers.items() if it.lower().startswith("x-goog-meta-")}
            uploads[name] = (key, kept, {})
            text = f"<Bucket>{bucket}</Bucket><Key>{key}</Key><UploadId>{name}</UploadId>"
            return self.answer(200, f"<?xml version='1.0'?><InitiateMultipartUploadResult>{text}</InitiateMultipartUploadResult>")
        if query.get("uploadId") not in uploads:
            return self.error(404, "NoSuchUpload")
        _, kept, parts = uploads[query["uploadId"]]
        if self.command == "PUT":
            parts[int(query["partNumber"])] = body
            return self.answer(200, headers=[("ETag", f'"{hashlib.md5(body).hexdigest()}"')])
        if self.command == "DELETE":
            del uploads[query["uploadId"]]
            return self.answer(204)
        for number, part in parts.items():
            if hashlib.md5(part).hexdigest() not in body.decode():
                return self.error(400, "InvalidPart")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"".join(parts[number] for number in sorted(parts)))
        metadata[key] = kept
        del uploads[query["uploadId"]]
        text = f"<Bucket>{bucket}</Bucket><Key>{key}</Key><ETag>\"x\"</ETag><Location>x</Location>"
        return self.answer(200, f"<?xml version='1.0'?><CompleteMultipartUploadResult>{text}</CompleteMultipartUploadResult>")

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = serve

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_address[1], flush=True)
server.serve_forever()
