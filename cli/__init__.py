"""The command line. One file per command, imported when it runs; nothing heavy is imported before."""

import atexit
import gc
import io
import os
import sys

import typer

from ragembed.cli.commands import Commands
from ragembed.errors import RagembedError

app = typer.Typer(
    name="ragembed",
    cls=Commands,
    help="Index documents, search them, and measure which way of embedding retrieves best.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        from ragembed import __version__

        print(f"ragembed {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Print the version and stop."
    ),
    threads: int | None = typer.Option(
        None, "--threads", min=1, metavar="N", help="Processor threads to use. (default: all)"
    ),
    debug: bool = typer.Option(False, "--debug", envvar="RAGEMBED_DEBUG", help="Show tracebacks of errors."),
) -> None:
    if threads is not None:
        from ragembed.threads import set_threads

        set_threads(threads)
    if debug:
        os.environ["RAGEMBED_DEBUG"] = "1"


def main() -> None:
    """Run the command line: exit 0 on success, 1 on an expected failure, 2 on wrong usage, 130 on Ctrl-C."""
    atexit.register(gc.freeze)  # or Python looks for garbage among all modules once more, which takes 8 ms
    sys.stdout = sys.stdout or open(os.devnull, "w")  # noqa: SIM115, PTH123 - closed by whoever started us
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal without Unicode is no reason to fail
    try:
        app()
    except RagembedError as error:
        if os.environ.get("RAGEMBED_DEBUG"):
            raise
        print("error:", " ".join(str(error).split()), file=sys.stderr)
        sys.exit(1)
    except SystemExit as stop:
        if stop.code == 130:  # Typer's answer to Ctrl-C
            print("stopped; what was saved stays, run the same command again", file=sys.stderr)
        raise
    except BrokenPipeError:  # the reader of our output has gone, as in `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except OSError as error:
        if os.environ.get("RAGEMBED_DEBUG"):
            raise
        what = f"{error.filename}: " if error.filename else ""
        print(
            f"error: {what}{error.strerror or error}; check the path, its permissions and the disk",
            file=sys.stderr,
        )
        sys.exit(1)
