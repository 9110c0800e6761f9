"""Make an export the starter network: python scripts/ship_starter.py EXPORT [livecell-mini]."""

import sys
import tempfile
from pathlib import Path

import yaml

from cellseg import models
from cellseg.export import starter_card
from cellseg.runtime import command, gpu_lease

STUDY = Path(__file__).resolve().parent.parent / "workflow/studies/starter.yaml"

if len(sys.argv) not in (2, 3):
    sys.exit(f"Usage: {sys.argv[0]} EXPORT [livecell-mini]")
with command.running(), tempfile.TemporaryDirectory() as folder:
    gpu_lease.take("cpu")
    study = yaml.safe_load(STUDY.read_text(encoding="utf-8"))
    dataset = study["datasets"][study["dataset"]]
    card = starter_card.ship(
        export=Path(sys.argv[1]),
        settings=dataset["variation"],
        pixel_size=dataset["pixel_size"],
        load_family=models.load,
        folder=Path(folder),
        mini=Path(sys.argv[2]) if len(sys.argv) == 3 else None,
    )
    for name in ("bytes", "simulated", "livecell_mini", "livecell_mini_test"):
        if name in card:
            print(f"{name}: {card[name]}")
