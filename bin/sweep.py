"""Trains discrete VAEs side by side: see tf_relax/commands/sweep.py."""

from tf_relax.commands.sweep import main

if __name__ == "__main__":
    main()
