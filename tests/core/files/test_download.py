import hashlib
import io
import json
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from dlcc.core.errors import DataError
from dlcc.core.files.download import RemoteFile, fetch
from dlcc.core.files.paths import cache_dir


class Site:
    """A server on this machine that hands out one file, and can hang up half-way."""

    def __init__(self) -> None:
        self.data, self.cut, self.ranges = b"", None, []
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                wanted = self.headers.get("Range")
                site.ranges.append(wanted)
                start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted else 0
                if self.path != "/a.zip" or start >= len(site.data) > 0:
                    self.send_error(404 if self.path != "/a.zip" else 416)
                    return
                self.send_response(206 if wanted else 200)
                self.send_header("Content-Length", str(len(site.data) - start))
                self.end_headers()
                self.wfile.write(site.data[start : site.cut])

            def log_message(self, *_: object) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/a.zip"
        self.thread = threading.Thread(
            target=self.server.serve_forever, kwargs={"poll_interval": 0.01}
        )
        self.thread.start()


@pytest.fixture
def site() -> Iterator[Site]:
    site = Site()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("spa.txt", "".join(f"{n}\t{n}\n" for n in range(30_000)))
    site.data = buffer.getvalue()
    yield site
    site.server.shutdown()
    site.thread.join()
    site.server.server_close()


def test_a_cut_download_is_gone_on_from(site: Site, tmp_path: Path) -> None:
    file, path, told = RemoteFile(site.url), tmp_path / "cache" / "a.zip", []
    site.cut = 100_000
    with pytest.raises(DataError, match="try again"):
        fetch(file, path=path)
    assert not path.exists()
    there = (tmp_path / "cache" / "a.zip.part").stat().st_size
    site.cut = None
    assert fetch(file, lambda *p: told.append(p), path) == path
    assert path.read_bytes() == site.data
    assert site.ranges == [None, f"bytes={there}-"]
    assert told[-1] == (len(site.data), len(site.data))
    assert json.loads((tmp_path / "cache" / "a.json").read_text())["bytes"] == len(site.data)
    assert fetch(file, path=path) == path
    assert len(site.ranges) == 2  # the third time nothing was asked for
    assert not (tmp_path / "cache" / "a.zip.part").exists()


def test_a_whole_part_is_taken(site: Site, tmp_path: Path) -> None:
    (tmp_path / "a.zip.part").write_bytes(site.data)
    assert fetch(RemoteFile(site.url), path=tmp_path / "a.zip").read_bytes() == site.data


def test_what_is_no_zip_is_not_kept(site: Site, tmp_path: Path) -> None:
    for data in (b"<html>a login page</html>", site.data[:50] + b"!!!" + site.data[53:]):
        site.data = data
        with pytest.raises(DataError, match="gave "):
            fetch(RemoteFile(site.url), path=tmp_path / "a.zip")
        assert list(tmp_path.iterdir()) == []


def test_a_refusal_and_no_network_say_what_to_try(site: Site, tmp_path: Path) -> None:
    for url in (site.url + "x", "http://127.0.0.1:1/a.zip"):
        with pytest.raises(DataError, match="or give data of your own"):
            fetch(RemoteFile(url), path=tmp_path / "a.zip")


def test_what_is_there_is_checked_and_fetched_again_where_it_is_another(site: Site) -> None:
    file = RemoteFile(site.url, f"sha256:{hashlib.sha256(site.data).hexdigest()}")
    path = fetch(file)
    assert path == cache_dir() / "downloads" / "a.zip"
    assert fetch(file) == path
    assert len(site.ranges) == 1
    path.write_bytes(b"another file")
    assert fetch(file).read_bytes() == site.data
    assert len(site.ranges) == 2


def test_a_link_in_place_of_a_part_is_not_followed(site: Site, tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_bytes(site.data[:100])
    (tmp_path / "a.zip.part").symlink_to(precious)
    path = fetch(RemoteFile(site.url), path=tmp_path / "a.zip")
    assert not path.is_symlink()
    assert path.read_bytes() == site.data
    assert precious.read_bytes() == site.data[:100]
    assert site.ranges == [None]
