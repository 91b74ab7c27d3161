"""What a WandbLogger would do here: its mode, the login, and whether the server answers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from lightning_tf.doctor.finding import Finding, ok, problem, warning

API_SECONDS = 10


def main() -> dict[str, Any]:
    """Return mode, server, whether there is a key and the server takes it; no key is told."""
    import wandb

    from lightning_tf.callbacks.wandb.connection import is_reachable
    from lightning_tf.callbacks.wandb.wandb_arguments import check_environment, chosen_mode

    check_environment()
    mode = chosen_mode(None, {})
    server = str(wandb.setup().settings.base_url)
    login: dict[str, Any] = {"mode": mode, "server": server, "version": wandb.__version__}
    if mode in ("offline", "disabled"):
        return login

    # Reads the key of an earlier login; asks nobody.
    login["has_key"] = bool(wandb.login(prompt=False, verify=False))
    if not login["has_key"]:
        return login
    login["reachable"] = is_reachable(server)
    if login["reachable"]:
        try:
            wandb.Api(timeout=API_SECONDS)  # asks the server; login does not ask a second time
        except Exception as error:  # whatever it is: the key is not good for a run
            login["refusal"] = f"{type(error).__name__}: {error}"[:200]
    return login


def check_wandb(login: Mapping[str, Any], trouble: str) -> Iterator[Finding]:
    """Yield what a run with WandbLogger will do.

    Args:
        login: Of `main`.
        trouble: How it failed; empty where it did not.
    """
    if trouble:
        else_ = "correct that variable" if "WANDB_" in trouble else "pip install -U wandb"
        remedy = f"runs without WandbLogger go on as before; else: {else_}"
        yield warning("wandb", f"cannot be asked: {trouble}", remedy)
        return

    mode, server = login["mode"], login["server"]
    if mode in ("offline", "disabled"):
        remedy = "to be online: unset WANDB_MODE, or `wandb online`"
        yield ok("wandb", f"{login['version']}, {mode}, as it was chosen ({remedy})")
    elif not login["has_key"]:
        text = "there is no login: a WandbLogger keeps its runs on this disk"
        finding = warning if mode is None else problem
        yield finding("wandb", text, "`wandb login`, WANDB_API_KEY, or WANDB_MODE=offline")
    elif not login["reachable"]:
        text = f"{server} does not answer: a WandbLogger keeps its runs on this disk"
        remedy = "`wandb sync` later; a proxy goes into HTTPS_PROXY; WANDB_MODE=offline is quicker"
        yield warning("wandb", text, remedy)
    elif "refusal" in login:
        text = f"{server} does not take the login: {login['refusal']}"
        yield problem("wandb", text, "`wandb login --relogin`, or WANDB_MODE=offline")
    else:
        yield ok("wandb", f"{login['version']}, {mode or 'online'}, logged in at {server}")
