"""Makes the embedded MNIST file: see tf_relax/commands/make_mnist.py."""

from tf_relax.commands.make_mnist import main

if __name__ == "__main__":
    main()
