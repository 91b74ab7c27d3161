"""serve_run: what `lightning-tf serve RUN` does."""

import argparse
import logging
import sys
from pathlib import Path

from lightning_tf.exceptions import ConfigurationError, LightningTFError
from lightning_tf.serving.extra import check_extra
from lightning_tf.serving.server import bound_socket, is_local, run_server
from lightning_tf.storage.remote_files import local_run

WRONG_USE, FAILED, INTERRUPTED = 2, 1, 130  # exit codes
CONFIG = "config.yaml"


def add_serve(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command and its options."""
    text = "answer requests over HTTP with the model of a run"
    serve = commands.add_parser(
        "serve",
        help=text,
        description=f"{text.capitalize()}: JSON and files, until Ctrl-C. There is no "
        "authentication. Needs the extra: pip install 'lightning-tf[serve]'.",
    )
    serve.add_argument("run", metavar="RUN", help="its folder: runs/version_0")
    serve.add_argument(
        "--ckpt_path", help="best, last, or a checkpoint's folder; the best, else the last"
    )
    serve.add_argument("--host", default="127.0.0.1", help="the address to answer at, %(default)s")
    serve.add_argument("--port", type=int, default=8000, help="0 takes a free one, %(default)s")
    serve.add_argument(
        "--max_batch", type=int, default=64, help="instances of a request at most, %(default)s"
    )
    serve.add_argument(
        "--max_body_mb", type=float, default=10, help="megabytes of a body at most, %(default)s"
    )
    serve.add_argument(
        "--max_pixels",
        type=int,
        default=64_000_000,
        help="pixels of a request's images together at most, %(default)s",
    )


def serve_run(options: argparse.Namespace) -> int:
    """Serve a run until the process is asked to end.

    Args:
        options: Of the command line.

    Returns:
        The exit code: 0, 2 where the options are wrong, 1 where the run cannot be served.
    """
    try:
        check_extra()
        with bound_socket(options.host, options.port) as bound:  # before TensorFlow takes seconds
            print("lightning-tf serve: loading TensorFlow", file=sys.stderr, flush=True)
            app = _app(options)
            # What each request resizes and leaves out is of no use here.
            logging.getLogger("lightning_tf").setLevel(logging.WARNING)
            run_server(app, bound, lambda url: _say(options, app.title, url))
    except KeyboardInterrupt:  # before it answers: then it is how to end it
        print("lightning-tf serve: interrupted before it answered.", file=sys.stderr)
        return INTERRUPTED
    except LightningTFError as error:
        print(f"lightning-tf serve: {error}", file=sys.stderr)
        return WRONG_USE if isinstance(error, ConfigurationError) else FAILED
    print("lightning-tf serve: ended, as it was asked to.", file=sys.stderr)
    return 0


def _app(options: argparse.Namespace):  # type: ignore[no-untyped-def] # noqa: ANN202
    from lightning_tf.cli.task_file import import_file_of
    from lightning_tf.serving.serving_app import serving_app

    run = local_run(options.run)
    import_file_of(Path(run) / CONFIG)
    return serving_app(
        run,
        ckpt_path=options.ckpt_path,
        max_batch=options.max_batch,
        max_body_mb=options.max_body_mb,
        max_pixels=options.max_pixels,
    )


def _say(options: argparse.Namespace, title: str, url: str) -> None:
    reach = "" if is_local(options.host) else f" Whoever reaches {options.host} can use it."
    print(
        f"{title}: {url} is a page to try it, {url}/openapi.json describes it. There is no "
        f"authentication.{reach} Ctrl-C ends it.",
        flush=True,
    )
