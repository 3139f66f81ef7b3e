"""Evaluates a discrete VAE: see tf_relax/commands/eval_vae.py."""

from tf_relax.commands.eval_vae import main

if __name__ == "__main__":
    main()
