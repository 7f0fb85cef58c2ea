"""Our side. Run by the driver: ``python -m benchmarks.speed.ours THREADS FOLDER``.

Imports nothing unless it is the program itself: the processes that draw figures import it once more, as they would the
command line.
"""

if __name__ == "__main__":
    import sys
    from pathlib import Path

    from benchmarks.speed.our_works import main

    main(int(sys.argv[1]), Path(sys.argv[2]))
