"""A server on this machine that publishes a mini LIVECell, and breaks off on request."""

import hashlib
import io
import json
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import tifffile


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


DATE = "Sat, 01 Jan 2022 00:00:00 GMT"


class Server(ThreadingHTTPServer):
    """Serves `files`, a dict of name to content.

    Attributes
    ----------
    requests : name and Range header of every request
    conditions : If-Range header of every request
    cut : number of bytes after which the connection breaks off, one a request from the front
    answers : status codes to give instead, one a request from the front
    short : number of bytes of a whole answer that is only a part, one a request from the front
    ranges : whether the server can continue a transfer
    first_bytes_only : answer every request with the first ten bytes, as if it had asked for them
    weak : whether its tags are weak; the date of the file then separates versions
    dated : whether it says when a file was last changed
    """

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, bytes] = {}
        self.requests: list[tuple[str, str | None]] = []
        self.conditions: list[str | None] = []
        self.cut: list[int] = []
        self.short: list[int | None] = []
        self.answers: list[int] = []
        self.ranges, self.weak, self.dated = True, False, False
        self.first_bytes_only = False
        self.url = f"http://127.0.0.1:{self.server_port}/set"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        name = self.path.removeprefix("/set/")
        asked = self.headers["Range"]
        self.server.requests.append((name, asked))
        self.server.conditions.append(self.headers["If-Range"])
        if self.server.answers:
            self.send_error(self.server.answers.pop(0))
            return
        if name not in self.server.files:
            self.send_error(404)
            return
        content = self.server.files[name]
        tag = f'"{sha256(content)}"'
        if self.server.first_bytes_only:
            self.send_response(206)
            self.send_header("Content-Range", f"bytes 0-9/{len(content)}")
            self.send_header("Content-Length", "10")
            self.send_header("ETag", tag)
            self.end_headers()
            self.wfile.write(content[:10])
            return
        start = 0
        validator = DATE if self.server.weak and self.server.dated else tag
        if asked and self.server.ranges and self.headers["If-Range"] == validator:
            start = int(asked.removeprefix("bytes=").removesuffix("-"))
            if start >= len(content):
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{len(content)}")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        short = self.server.short.pop(0) if self.server.short else None
        content = content if short is None else content[: start + short]
        self.send_header("Content-Length", str(len(content) - start))
        if self.server.ranges:
            self.send_header("ETag", f"W/{tag}" if self.server.weak else tag)
        if self.server.dated:
            self.send_header("Last-Modified", DATE)
        self.end_headers()
        end = start + self.server.cut.pop(0) if self.server.cut else len(content)
        self.wfile.write(content[start:end])

    def log_message(self, *arguments) -> None:
        pass


def zipped(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def mini_livecell() -> dict[str, bytes]:
    """Three images and their annotations, in the layout of LIVECell."""
    files = {}
    members = {}
    for split, cell_type in (("train", "A172"), ("val", "BV2"), ("test", "SkBr3")):
        name = f"{cell_type}_Phase_A1_1_00d00h00m_1.tif"
        folder = "livecell_test_images" if split == "test" else "livecell_train_val_images"
        picture = io.BytesIO()
        grey = np.random.default_rng(3).integers(0, 255, (32, 40), np.uint8)
        tifffile.imwrite(picture, grey)
        members[f"images/{folder}/{cell_type}/{name}"] = picture.getvalue()
        content = {
            "images": [{"id": 1, "file_name": name, "height": 32, "width": 40}],
            "annotations": [
                {
                    "id": 2,
                    "image_id": 1,
                    "category_id": 1,
                    "segmentation": [[1.0, 1.0, 9.0, 1.0, 9.0, 9.0]],
                    "area": 32.0,
                    "bbox": [1.0, 1.0, 8.0, 8.0],
                    "iscrowd": 0,
                }
            ],
            "info": "x" * 200_000,
        }
        files[f"annotations/LIVECell/livecell_coco_{split}.json"] = json.dumps(content).encode()
    files["images.zip"] = zipped(members)
    return files
