"""A request that is too large, broken or meant ill is refused with a sentence; nothing fails."""

import http.client
import io
import json
import logging
import struct
import zlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from helpers.boring import quiet
from helpers.served import b64, served
from PIL import Image
from sklearn.datasets import load_wine

from lightning_tf import Trainer, serving_app
from lightning_tf.tasks import ImageClassification, TabularClassification

IMAGES = np.random.default_rng(0).integers(0, 255, (32, 8, 8, 3)).astype("uint8")
LIMIT = 200_000  # bytes of a body
# Starlette leaves the file of a form that ends within it to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore:Exception ignored in.*SpooledTemporaryFile")
FORM = "multipart/form-data; boundary=x"
PART = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.png"\r\n\r\n'


@pytest.fixture(scope="module")
def task():
    task = ImageClassification((IMAGES, np.arange(32) % 2), "linear", batch_size=16)
    Trainer(**quiet(max_epochs=1, seed=0)).fit(task)
    return task


@pytest.fixture
def client(task):
    app = serving_app(task, max_batch=4, max_body_mb=LIMIT / 1e6, max_pixels=10_000)
    with served(app) as client:
        yield client


def encoded(image, kind="PNG"):
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, kind)
    return buffer.getvalue()


def chunk(kind, content):
    return (
        struct.pack(">I", len(content))
        + kind
        + content
        + struct.pack(">I", zlib.crc32(kind + content))
    )


def png_that_tells(width, height):
    """A PNG of some bytes whose header tells any number of pixels."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    pixels = zlib.compress(bytes(1000))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def refused(answer, code, *words):
    assert answer[0] == code, answer
    assert set(answer[1]) == {"detail"}
    for word in words:
        assert word in answer[1]["detail"], answer


def test_a_body_that_is_too_large_is_refused_whatever_its_headers_say(client):
    body = b" " * (LIMIT + 1)
    refused(client.send(body), 413, "larger than 0.2 MB")
    chunks = iter([b" " * 50_000] * 24)  # without a length, hence chunked
    refused(client.send(chunks), 413, "larger than 0.2 MB")
    refused(client.predict_files(("a.png", body)), 413, "larger")
    refused(client.send(iter([PART, body]), FORM, "/predict/files"), 413, "larger")


def test_a_length_that_lies_is_no_way_around_the_limit(client):
    connection = http.client.HTTPConnection("127.0.0.1", client.port, timeout=20)
    connection.putrequest("POST", "/predict")
    connection.putheader("Content-Type", "application/json")
    connection.putheader("Content-Length", "10")
    connection.endheaders(b'{"instances": [' + b" " * 1000)
    assert connection.getresponse().status == 400  # ten bytes were read
    connection.close()
    connection = http.client.HTTPConnection("127.0.0.1", client.port, timeout=20)
    connection.putrequest("POST", "/predict")
    connection.putheader("Content-Type", "application/json")
    connection.putheader("Content-Length", "100000")
    connection.endheaders(b'{"inst')
    connection.close()  # and the rest never comes
    assert client.get("/health")[0] == 200


def test_an_image_that_would_unpack_to_gigabytes_is_refused_by_its_header(client):
    for width, height in ((30_000, 30_000), (12_000, 9_000), (101, 100)):
        bomb = png_that_tells(width, height)
        refused(client.predict(b64(bomb)), 413, "instance 0", "pixels")
        refused(client.predict_files(("bomb.png", bomb)), 413, "bomb.png", "pixels")
    small = encoded(np.zeros((60, 60, 3), "uint8"))
    assert client.predict(b64(small), b64(small))[0] == 200
    refused(client.predict(*[b64(small)] * 3), 413, "instance 2", "10800 pixels")


def test_the_type_of_a_file_is_that_of_its_content(client):
    refused(client.predict_files(("cat.png", b"MZ" + bytes(50))), 415, "cat.png", "no image")
    refused(client.predict_files(("cat.png", b"%!PS-Adobe-3.0 EPSF-3.0\n")), 415)
    refused(client.predict_files(("cat.png", b"")), 415)
    assert client.predict_files(("cat.txt", encoded(IMAGES[0], "JPEG")))[0] == 200
    cut = encoded(IMAGES[0])[:-40]
    refused(client.predict(b64(encoded(IMAGES[0])), b64(cut)), 422, "instance 1: ", "decoded")


def test_a_body_of_another_type_or_compressed_is_refused(client):
    refused(client.send(b"{}", "text/plain"), 415, "text/plain", "application/json")
    refused(client.send(b"{}", "application/json", "/predict/files"), 415, "multipart/form-data")
    refused(client.send(b"{}", **{"Content-Encoding": "gzip"}), 415, "compressed")
    for code, path in ((404, "/nowhere"), (405, "/predict")):
        assert client.get(path)[0] == code


@pytest.mark.parametrize(
    ("body", "code", "said"),
    [
        (b"", 400, "no JSON"),
        (b"\xff{", 400, "no JSON"),
        (b'{"instances": [NaN]}', 400, "NaN is no JSON"),
        (b'{"instances": [' + b"9" * 5000 + b"]}", 400, "no JSON"),
        (b'{"instances": ' + b"[" * 90_000, 400, "nested too deeply"),
        (b"[]", 422, '{"instances": [...]}'),
        (b'{"instances": {}}', 422, '{"instances": [...]}'),
        (b'{"instances": []}', 422, "there are no instances"),
        (b'{"instances": [1, 1, 1, 1, 1]}', 422, "5 instances are more than 4"),
        (b'{"instances": [1], "signature_name": "x"}', 422, "'signature_name' beside instances"),
        (b'{"instances": ["/etc/passwd"]}', 422, "instance 0: it is a text"),
        (b'{"instances": [{"b64": "/etc/passwd!"}]}', 422, "instance 0: b64 is no base64"),
        (b'{"instances": [{"b64": 3}]}', 422, "instance 0: "),
        (b'{"instances": [[[1, 2], [3]]]}', 422, "several lengths"),
        (b'{"instances": [[[1e999, 2], [3, 4]]]}', 422, "not finite"),
        (b'{"instances": [[["a"]]]}', 422, "something else than numbers"),
        (b'{"instances": [[]]}', 422, "its shape is (0,)"),
        (b'{"instances": [[[[[1]]]]]}', 422, "its shape is (1, 1, 1, 1)"),
        (b'{"instances": [[[[300000, 0, 0]]]]}', 422, "[0, 255]"),
        (b'{"instances": ["\\ud800"], "\\ud800": 1}', 422, "beside instances"),
        (b'{"instances": ' + b"[" * 100 + b"1" + b"]" * 100 + b"}", 422, "too deep"),
    ],
)
def test_json_that_holds_no_images_is_refused(client, body, code, said):
    refused(client.send(body), code, said)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"--x",
        b"--x--\r\n",
        b"nothing",
        b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\ntext\r\n--x--\r\n',
        b"--x\r\nContent-Disposition: nothing\r\n\r\ntext\r\n--x--\r\n",
        b"--x\r\n" + b"a" * 20_000,
    ],
)
def test_a_form_without_files_is_refused(client, body):
    code, answer = client.send(body, FORM, "/predict/files")
    assert code in (400, 422), answer
    assert client.send(body, "multipart/form-data", "/predict/files")[0] in (400, 422)
    refused(client.predict_files(*[("a.png", encoded(IMAGES[0]))] * 5), 400, "files")


def test_no_path_and_no_traceback_gets_into_an_answer(client, monkeypatch, caplog):
    def fail(*_):
        raise RuntimeError("/home/somebody/secret.py broke")

    monkeypatch.setattr("lightning_tf.predictor.Predictor.outputs", fail)
    code, answer = client.predict(b64(encoded(IMAGES[0])))
    assert (code, answer) == (500, {"detail": "the server failed; its log says why."})


@pytest.fixture
def rows():
    """A client of a table, and a row that it takes."""
    wine = load_wine(as_frame=True).frame
    wine["kind"] = np.where(np.arange(len(wine)) % 2, "a", "b")
    task = TabularClassification(wine, target="target")
    Trainer(**quiet(max_epochs=1, limit_train_batches=2, seed=0)).fit(task)
    with served(serving_app(task, max_batch=4)) as client:
        yield client, wine.drop(columns="target").iloc[0].to_dict()


def test_cells_that_no_table_has_are_refused(rows):
    client, row = rows
    for cell, said in (
        ([1], "'alcohol' is a list"),
        ({"a": 1}, "'alcohol' is a object"),
        (None, "alcohol of row 0 is"),
        ("\ud800", "surrogate"),
        ("a" * 200_000, "at most 100000"),
        (int("9" * 400), "a number too large"),
        (1e308, "too large"),
    ):
        refused(client.predict(row, {**row, "alcohol": cell}), 422, "instance 1: ", said)
    unknown = {**row, "kind": "never seen", "other": "x", "/etc": 1}
    assert client.predict(unknown)[0] == 200
    refused(client.predict({}), 422, "instance 0: the column 'alcohol' is missing")


def test_tables_that_are_none_are_refused_without_the_path_of_the_copy(rows):
    client, row = rows
    header, line = ",".join(row), ",".join(map(str, row.values()))
    for content, said in (
        (b"", "table.csv"),
        (b"\xff\xfe\x00", "table.csv"),
        (b"a,b\n1,2\n", "has no column"),
        (header.encode(), "no rows"),
        (f"{header}\n{line},1,2,3\n".encode(), "table.csv"),
        ("\n".join([header] + [line] * 5).encode(), "5 rows are more than 4"),
        (f'{header}\n"{line}'.encode(), ""),
    ):
        answer = client.predict_files(("new.csv", content))
        refused(answer, 422, said)
        assert "/tmp" not in answer[1]["detail"]


def garbage(generator, rows_of):
    """A body that may be JSON, or nearly."""
    pieces = [
        *(b"{", b"}", b"[", b"]", b",", b":", b'"', b"null", b"true", b"-", b"1e9", b"0.5", b"\\u"),
        *(b'"instances"', b'{"instances": [', b"]}", b'"b64"', b'"alcohol"', b"\x00", b"\xff"),
        *(
            b"--x\r\n",
            b"\r\n\r\n",
            b"Content-Disposition: form-data; name=",
            b"; filename=",
            b"IHDR",
        ),
        rows_of,
    ]
    count = int(generator.integers(1, 40))
    return b"".join(pieces[i] for i in generator.integers(0, len(pieces), count))


def mutated(generator, body):
    """A good body of which some bytes are others."""
    changed = bytearray(body)
    for place in generator.integers(0, len(changed), int(generator.integers(1, 6))):
        changed[place] = int(generator.integers(0, 256))
    return bytes(changed)


def test_two_hundred_bodies_of_garbage_never_make_it_fail(client, rows, caplog):
    caplog.set_level(logging.CRITICAL)
    generator = np.random.default_rng(0)
    of_rows, row = rows
    good = json.dumps({"instances": [row]}).encode()
    image = json.dumps({"instances": [b64(encoded(IMAGES[0]))]}).encode()
    form = PART + encoded(IMAGES[0]) + b"\r\n--x--\r\n"
    codes = []
    for number in range(200):
        asked, body = ((of_rows, good), (client, image))[number % 2]
        made = garbage(generator, body) if number % 3 == 0 else mutated(generator, body)
        codes.append(asked.send(made))
        codes.append(client.send(mutated(generator, form), FORM, "/predict/files"))
    assert {code for code, _ in codes} <= {200, 400, 413, 415, 422}, codes
    assert all(set(answer) <= {"detail", "predictions"} for _, answer in codes)


def test_health_answers_while_a_prediction_takes_its_time(client, monkeypatch):
    import threading

    begun, may_end = threading.Event(), threading.Event()
    from lightning_tf.predictor import Predictor

    outputs = Predictor.outputs

    def slow(self, examples):
        begun.set()
        may_end.wait(20)
        return outputs(self, examples)

    monkeypatch.setattr(Predictor, "outputs", slow)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(client.predict, b64(encoded(IMAGES[0])))
        assert begun.wait(20)
        assert client.get("/health") == (200, {"status": "ready"})
        may_end.set()
        assert waiting.result()[0] == 200


def test_requests_at_once_get_what_each_alone_gets(client):
    contents = [encoded(image) for image in IMAGES]
    alone = [client.predict(b64(content))[1] for content in contents]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda content: client.predict(b64(content))[1], contents * 2))
    assert together == alone * 2
