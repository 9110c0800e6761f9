"""Cellpose-SAM's network: the image encoder of Segment Anything on small patches, and one layer.

Written from Pachitariu, Rariden and Stringer, Cellpose-SAM: superhuman generalization for cellular
segmentation, bioRxiv 2025.04.28.651001. The encoder is built by the package segment-anything
(Kirillov et al., Segment Anything, ICCV 2023). Weights have the names of the package cellpose 4.
"""

from collections.abc import Mapping
from functools import partial

from cellseg.models.pytorch import process  # isort: skip  (before torch)

with process.needed_by("family cellpose-sam needs", ("torch", "segment_anything")):
    import torch
    from segment_anything.modeling import ImageEncoderViT

from torch import Tensor, nn
from torch.nn import functional

from cellseg.models.cellpose_sam import sizes

DROPPED = 0.4
"""Probability that training skips the last block for an image; it grows from 0 in the first."""
SAM = "image_encoder."
"""How names of Segment Anything's encoder begin in its own files."""
NOT_TRAINED = ("W2", "diam_labels", "diam_mean")
"""What files of cellpose 4 hold besides: the order of pixels in a patch, and two diameters."""


class CellposeSAM(nn.Module):
    """The network with random weights.

    Parameters
    ----------
    model : settings, with ``size`` of the images, a multiple of the patch; ``depth``, a multiple of
        four; ``width`` and ``attention_heads``
    """

    def __init__(self, model: Mapping) -> None:
        super().__init__()
        self.size, depth, width = model["size"], model["depth"], model["width"]
        self.encoder = ImageEncoderViT(
            # Patches of 16 in images twice as large a side, whose weights for distances cpsam has.
            img_size=4 * self.size,
            patch_size=16,
            depth=depth,
            embed_dim=width,
            num_heads=model["attention_heads"],
            norm_layer=partial(nn.LayerNorm, eps=1e-6),
            use_rel_pos=True,
            window_size=sizes.WINDOW,
            global_attn_indexes=tuple(range(depth // 4 - 1, depth, depth // 4)),
            out_chans=sizes.FEATURES,
        )
        for block in self.encoder.blocks:
            block.window_size = 0  # each patch attends to all others
        patch = nn.Conv2d(sizes.IMAGE_CHANNELS, width, sizes.PATCH, stride=sizes.PATCH)
        self.encoder.patch_embed.proj = patch.requires_grad_(False)  # as in the package's training
        side = sizes.patches(model)
        self.encoder.pos_embed = nn.Parameter(torch.zeros(1, side, side, width))
        self.out = nn.Conv2d(sizes.FEATURES, sizes.OUTPUTS * sizes.PATCH**2, 1)

    def forward(self, images: Tensor) -> Tensor:
        """Outputs (N, 3, size, size) of images (N, 3, size, size)."""
        tokens = self.encoder.patch_embed(images) + self.encoder.pos_embed
        blocks = self.encoder.blocks
        if self.training:
            share = torch.linspace(0, DROPPED, len(blocks), device=tokens.device)
            skipped = torch.rand((len(tokens), len(blocks)), device=tokens.device) < share
            for block, of_images in zip(blocks, skipped.T, strict=True):
                skip = of_images[:, None, None, None].to(tokens.dtype)
                tokens = tokens * skip + block(tokens) * (1 - skip)
        else:
            for block in blocks:
                tokens = block(tokens)
        features = self.encoder.neck(tokens.permute(0, 3, 1, 2))
        return functional.pixel_shuffle(self.out(features), sizes.PATCH)


def renamed(state: Mapping[str, Tensor], size: int) -> dict[str, Tensor]:
    """A state dict of cellpose 4 or of Segment Anything, with the names of this network.

    Of Segment Anything, the encoder is taken, and of its patches and their places every second
    pixel and every second place or more: as many as the network has.

    Parameters
    ----------
    size : of the network's images, pixels
    """
    if not any(name.startswith(SAM) for name in state):
        return {name: value for name, value in state.items() if name not in NOT_TRAINED}
    taken = {
        f"encoder.{name.removeprefix(SAM)}": value
        for name, value in state.items()
        if name.startswith(SAM)
    }
    patch, places = "encoder.patch_embed.proj.weight", "encoder.pos_embed"
    if patch in taken:
        step = max(1, taken[patch].shape[-1] // sizes.PATCH)
        taken[patch] = taken[patch][..., ::step, ::step]
    if places in taken:
        step = max(1, taken[places].shape[1] * sizes.PATCH // size)
        taken[places] = taken[places][:, ::step, ::step]
    return taken
