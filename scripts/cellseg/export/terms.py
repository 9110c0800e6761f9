"""Under what terms an exported network may be used, and what to cite."""

from collections.abc import Iterator, Mapping, Sequence

from cellseg import models
from cellseg.data.kinds import SOURCES
from cellseg.training import pseudo_labels, start

DEEPCELL = (
    "- The network was built by the package deepcell (Van Valen Lab, Caltech), whose licence is "
    "for non-commercial, academic use only."
)

LIVECELL = (
    "Edlund et al., Nature Methods 18, 1038-1045, 2021 (LIVECell; data and scores)",
    "10.1038/s41592-021-01249-6",
)
MESMER = (
    "Greenwald et al., Nature Biotechnology 40, 555-565, 2022 (Mesmer; the network)",
    "10.1038/s41587-021-01094-0",
)
NETWORKS = {
    "deepcell": MESMER,
    "panopticnet": MESMER,
    "unet": ("Ronneberger et al., 2015 (U-Net; the network)", "10.48550/arXiv.1505.04597"),
    "stardist": ("Schmidt et al., 2018 (StarDist; the network)", "10.48550/arXiv.1806.03535"),
    "cellpose": (
        "Stringer et al., Nature Methods 18, 100-106, 2021 (Cellpose; the network)",
        "10.1038/s41592-020-01018-x",
    ),
    "cellpose-sam": (
        "Pachitariu et al., 2025 (Cellpose-SAM; the network)",
        "10.1101/2025.04.28.651001",
    ),
    "maskrcnn": ("He et al., 2017 (Mask R-CNN; the network)", "10.48550/arXiv.1703.06870"),
    "retinamask": ("Fu et al., 2019 (RetinaMask; the network)", "10.48550/arXiv.1901.03353"),
    "centermask": ("Lee and Park, 2020 (CenterMask; the network)", "10.48550/arXiv.1911.06667"),
    "cascade": (
        "Cai and Vasconcelos, 2019 (Cascade Mask R-CNN; the network)",
        "10.48550/arXiv.1906.09756",
    ),
    "fusion": (
        "Solovyev et al., Image and Vision Computing 107, 104117, 2021 (weighted boxes fusion)",
        "10.1016/j.imavis.2021.104117",
    ),
}
"""What to cite of each family, with its DOI."""

OF_PACKAGES = {
    "torch": "BSD 3-clause",
    "torchvision": "BSD 3-clause",
    "timm": "Apache 2.0",
    "cellpose": "BSD 3-clause",
    "segment-anything": "Apache 2.0",
}
"""Licences of packages that networks of torch are built by."""


def licences(
    kind: str, model: Mapping, chain: Sequence[Mapping], pseudo: Mapping | None = None
) -> Iterator[str]:
    """Lines of Markdown on images, packages and pretrained weights.

    Parameters
    ----------
    kind : of the data set of the run, a key of :data:`cellseg.data.kinds.SOURCES`
    model : settings of its model
    chain : what it started from, of its provenance
    pseudo : its pseudo-labels, of its provenance; None without
    """
    yield f"- The images it was trained on: {SOURCES[kind].licence}"
    yield from dict.fromkeys(
        f"- The images that {start.of_link(one)} was trained on: {start.licence(one)}"
        for one in chain
    )
    taught = [pseudo, *(one.get(pseudo_labels.KEY) for one in chain)]
    yield from dict.fromkeys(
        line for one in filter(None, taught) for line in pseudo_labels.licences(one)
    )
    if "deepcell" in [model["family"], *(one.get("family") for one in chain)]:
        yield DEEPCELL
    code = models.predictor_code(model)
    names = dict.fromkeys([model.get("weights"), *(one.get("imagenet") for one in chain)])
    published = "" if code else ", published with Keras"
    for name in filter(None, names):
        yield f"- The backbone started from `{name}`{published}: its terms apply too."
    if code:
        packages = [name.partition("==")[0] for name in code[1]]
        said = ", ".join(f"{name} ({OF_PACKAGES[name]})" for name in packages)
        yield f"- The packages that the network is built by: {said}."


def cited(*families: str) -> list[tuple[str, str]]:
    """What to cite of networks of some families, each once, with its DOI."""
    return [*dict.fromkeys(NETWORKS[one] for one in families if one in NETWORKS), LIVECELL]
