"""Is a change of the training better on patients that it has not seen? Packs sets, trains variants, writes the table.

    python -m benchmarks.accuracy pack --data ../shared/data --weights mobilenet_v1 --out PACK
    python -m benchmarks.accuracy train PACK --out RESULTS --minutes 9
    python -m benchmarks.accuracy table PACK RESULTS

Sets: breast, gallbladder, lung and PCOS frames, and a phantom; look-alikes are kept together by our own audit. Five
grouped folds, several seeds, variants paired by frame and seed. The difference in AUC has an interval over groups for
each set, and over sets a random-effects mean. ``train`` reads the pack alone, so that it also runs on a machine with a
GPU and nothing else; it goes on where it was stopped.
"""

from __future__ import annotations

import argparse
from pathlib import Path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    pack = commands.add_parser("pack", help="audit the sets and pack them")
    pack.add_argument("--data", type=Path, required=True)
    pack.add_argument("--weights", type=Path, required=True)
    pack.add_argument("--out", type=Path, required=True)
    pack.add_argument("--sets", nargs="*", default=[])
    train = commands.add_parser("train", help="train the variants on a pack")
    train.add_argument("pack", type=Path)
    train.add_argument("--out", type=Path, required=True)
    train.add_argument("--variants", nargs="*", default=[])
    train.add_argument("--sets", nargs="*", default=[])
    train.add_argument("--seeds", type=int, default=3)
    train.add_argument("--folds", type=int, default=5)
    train.add_argument("--workers", type=int, default=1)
    train.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda"))
    train.add_argument("--minutes", type=float, default=1e9)
    train.add_argument("--bundle", type=Path)
    table = commands.add_parser("table", help="write the table of the results")
    table.add_argument("pack", type=Path)
    table.add_argument("results", type=Path)
    options = parser.parse_args()
    {"pack": _pack, "train": _train, "table": _table}[options.command](options)


def _pack(options: argparse.Namespace) -> None:
    from benchmarks.protocol.pack import copy_weights, pack, sources

    options.out.mkdir(parents=True, exist_ok=True)
    copy_weights(options.weights, options.out)
    for source in sources(options.data, phantom=Path(f"{options.out}-phantom")):
        if not options.sets or source.name in options.sets:
            file = pack(source, weights=options.weights.resolve(), into=options.out)
            print(f"{file}: {file.stat().st_size / 1e6:.1f} MB", flush=True)


def _train(options: argparse.Namespace) -> None:
    from benchmarks.protocol.training import Plan, train_all

    plan = Plan(
        pack=options.pack, out=options.out, variants=tuple(options.variants), sets=tuple(options.sets),
        seeds=options.seeds, folds=options.folds, workers=options.workers, device=options.device,
        minutes=options.minutes, bundle=options.bundle,
    )  # fmt: skip
    train_all(plan)


def _table(options: argparse.Namespace) -> None:
    from benchmarks.protocol.table import table

    print(table(options.pack, options.results))


if __name__ == "__main__":
    main()
