"""Plays a trained policy: see tf_relax/commands/play.py."""

from tf_relax.commands.play import main

if __name__ == "__main__":
    main()
