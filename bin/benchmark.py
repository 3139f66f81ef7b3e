"""Times estimators: see tf_relax/commands/benchmark.py."""

from tf_relax.commands.benchmark import main

if __name__ == "__main__":
    main()
