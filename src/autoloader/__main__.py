"""``python -m autoloader`` is ``autoloader``."""

from autoloader.cli import main

main()
